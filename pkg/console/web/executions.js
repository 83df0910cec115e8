import { commandLine } from './format.js'
import { html } from './lib.js'
import { usePoll } from './poll.js'
import { Badge, Empty, Failure, Loading, Page } from './ui.js'

export function Executions() {
  const { data, error, refresh } = usePoll('/execute/list?limit=50')
  const list = /** @type {import('./types').List|null} */ (data)
  if (!list) return html`<${Page} title="Executions">${error ? html`<${Failure} error=${error} retry=${refresh} />` : html`<${Loading} />`}<//>`
  if (!list.executions.length) return html`<${Page} title="Executions"><${Empty} title="No executions yet" /><//>`
  return html`<${Page} title="Executions"><div class="table-wrap"><table class="list"><tbody>${list.executions.map(e => html`
    <tr key=${e.execution_id}><td><${Badge} status=${e.status} /></td><td><a href=${'/console/executions/' + e.execution_id}>${commandLine(e)}</a></td></tr>`)}</tbody></table></div><//>`
}
