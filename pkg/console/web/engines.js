// The catalog: what may be run here, and what it takes.
import { duration } from './format.js'
import { html } from './lib.js'
import { usePoll } from './poll.js'
import { Empty, Failure, Loading, Page } from './ui.js'

/** @typedef {import('./types').Engine} Engine */

export function Engines() {
  const { data, error, refresh } = usePoll('/engines', 0)
  const list = /** @type {import('./types').Engines|null} */ (data)?.engines
  const body = () => {
    if (!list) return error ? html`<${Failure} error=${error} retry=${refresh} />` : html`<${Loading} />`
    if (!list.length) return html`<${Empty} title="The catalog is empty"><p>Name engines and commands in the file of the setting <code>ENGINES_FILE</code>.</p><//>`
    return html`<div class="cards wide">${list.map(e => html`<${Card} key=${e.kind + e.name} e=${e} />`)}</div>`
  }
  return html`<${Page} title="Engines">${body()}<//>`
}

/** @param {{e: Engine}} props */
function Card({ e }) {
  const params = Object.entries(/** @type {any} */ (e.params)?.properties ?? {})
  const required = /** @type {any} */ (e.params)?.required ?? []
  const d = e.defaults
  return html`
    <section class="card" aria-label=${e.name}>
      <div class="card-head"><h2 class="mono">${e.name}</h2>
        ${e.kind === 'command' && html`<span class="pill dim">command</span>`}${e.warm && html`<span class="pill completed" title="Processes are kept that have imported already">warm</span>`}
        <a class="button" href=${`/console/new?${new URLSearchParams({ [e.kind]: e.name })}`} aria-label=${`New run of ${e.name}`}>New run</a></div>
      ${e.description && html`<p>${e.description}</p>`}
      ${params.length > 0 && html`<dl class="params">${params.map(([name, p]) => html`
        <div key=${name}><dt><code>${name}</code> <span class="dim">${typeName(/** @type {any} */ (p))}${required.includes(name) ? ', required' : ''}</span></dt>
          <dd>${/** @type {any} */ (p).description}${defaultOf(/** @type {any} */ (p))}</dd></div>`)}</dl>`}
      <p class="hint">${[
        e.allows_args && 'takes arguments', e.takes_input && 'takes input on stdin', e.env.length > 0 && `lets a request set ${e.env.join(', ')}`,
        d.timeout_seconds && `may run for ${duration(d.timeout_seconds)}`, d.queue && d.queue !== 'default' && `waits in ${d.queue}`, d.on_interrupt === 'requeue' && 'runs again when its worker is lost',
      ].filter(Boolean).join(' · ')}</p>
    </section>`
}

/** @param {any} p a JSON Schema */
export function typeName(p) {
  if (p.enum) return p.enum.map(String).join(' | ')
  if (p.type === 'array') return `list of ${p.items?.type ?? 'value'}s`
  return [p.type ?? 'any'].flat().join(' or ')
}

/** @param {any} p */
const defaultOf = p => (p.default === undefined ? '' : html` <span class="dim">Default: <code>${JSON.stringify(p.default)}</code></span>`)
