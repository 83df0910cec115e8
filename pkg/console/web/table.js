// The list of executions in words.
import { commandLine, count, date, duration } from './format.js'
import { html } from './lib.js'
import { Ago, Badge, Since } from './ui.js'

/** @typedef {import('./types').Execution} Execution */

/** @param {{executions: Execution[], selected: string, onSelect: (id: string) => void, dim: boolean}} props */
export const Table = ({ executions, selected, onSelect, dim }) => html`
  <div class="table-wrap ${dim ? 'stale' : ''}">
    <table class="list executions">
      <caption class="visually-hidden">Executions, newest first</caption>
      <colgroup><col class="c-status" /><col /><col class="c-outcome" /><col class="c-worker" /><col class="c-took" /><col class="c-when" /></colgroup>
      <thead><tr><th scope="col">Status</th><th scope="col">What</th><th scope="col">Outcome</th><th scope="col">Worker</th><th scope="col" class="right">Took</th><th scope="col" class="right">Started</th></tr></thead>
      <tbody>${executions.map(e => html`<${Row} key=${e.execution_id} e=${e} selected=${e.execution_id === selected} onSelect=${onSelect} />`)}</tbody>
    </table>
  </div>`

/** @param {{e: Execution, selected: boolean, onSelect: (id: string) => void}} props */
const Row = ({ e, selected, onSelect }) => html`
  <tr id=${'row-' + e.execution_id} class=${selected ? 'selected' : ''} onFocusIn=${() => onSelect(e.execution_id)}>
    <td class="c-status"><${Badge} status=${e.status} /></td>
    <td class="c-what"><a href=${'/console/executions/' + e.execution_id} title=${e.execution_id}>${what(e)}</a>${labels(e)}</td>
    <td class="c-outcome" title=${e.error_message ?? ''}>${outcome(e)}</td>
    <td class="c-worker" title=${e.worker ?? ''}>${e.worker ?? ''}</td>
    <td class="c-took right num">${took(e)}</td>
    <td class="c-when right" title=${date(e.created_at)}><${Ago} at=${e.started_at ?? e.created_at} /></td>
  </tr>`

/** @param {Execution} e */
const what = e => (e.engine ? html`<b>${e.engine}</b> <span class="mono">${e.args.join(' ')}</span>` : html`<span class="mono">${commandLine(e)}</span>`)

/** @param {Execution} e */
const labels = e => Object.entries(e.labels ?? {}).map(([k, v]) => html`<a class="label" key=${k} href=${`/console/?label=${encodeURIComponent(`${k}=${v}`)}`}>${k}=${v}</a>`)

/** @param {Execution} e */
function outcome(e) {
  if (e.status === 'queued') return e.queue_position == null ? '' : e.queue_position === 0 ? 'next in line' : `${count(e.queue_position, 'other')} before it`
  if (e.status === 'running') return progress(e)
  if (e.status === 'completed') return ''
  if (e.status === 'cancelled') return e.started_at ? 'on request' : 'before it began'
  if (e.status === 'timeout') return e.reason === 'queue_timeout' ? 'waited too long' : `ran for ${duration(e.timeout_seconds)}`
  return e.signal ?? (e.exit_code ? `exit code ${e.exit_code}` : (e.reason ?? '').replaceAll('_', ' '))
}

/** @param {Execution} e */
function progress(e) {
  const p = /** @type {any} */ (e.progress)
  if (e.cancel_requested_at) return 'is being stopped'
  if (typeof p?.percent !== 'number') return p?.message ?? ''
  return html`<span class="progress"><progress max="100" value=${p.percent} aria-label="Progress"></progress><span class="num">${Math.round(p.percent)} %</span></span>`
}

/** @param {Execution} e */
function took(e) {
  if (e.status === 'queued') return html`<span class="dim">waits <${Since} since=${e.created_at} /></span>`
  if (e.status === 'running' && e.started_at) return html`<${Since} since=${e.started_at} />`
  return e.started_at ? duration(e.duration_seconds) : '–'
}
