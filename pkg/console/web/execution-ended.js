// The card of an execution that has ended: what ended it, what to change, what it
// took, and the receipt of a stop.
import { explain, receipt } from './execution-end.js'
import { bytes, clock, count, duration } from './format.js'
import { html } from './lib.js'
import { Sign } from './ui.js'

/** @typedef {import('./types').Execution} Execution */

const titles = { completed: 'Completed', failed: 'It failed', timeout: 'It ran out of time', cancelled: 'It was cancelled', error: 'It could not be finished' }
const lastLines = 8

/** @param {{e: Execution, end: any, view: any}} props */
export function EndCard({ e, end, view }) {
  const { what, change, message } = explain(e)
  const steps = receipt(e, end)
  const well = e.status === 'completed'
  const words = well ? [] : view?.lastErrors(lastLines) ?? []
  const facts = /** @type {[string, any][]} */ ([
    ['Ran for', e.started_at && duration(e.duration_seconds)], ['Exit code', e.exit_code], ['Signal', e.signal],
    ['Peak memory', e.peak_memory_bytes ? bytes(e.peak_memory_bytes) : null], ['CPU time', e.cpu_seconds != null && e.started_at ? duration(e.cpu_seconds) : null],
    ['Worker', e.worker], ['Attempt', e.attempt ? `${e.attempt} of ${e.max_attempts}` : null], ['Left behind', end?.leftovers ? `${count(end.leftovers, 'process', 'processes')}, ended too` : null]
  ])
  return html`
    <section class="card end ${e.status}-card" aria-label="How it ended">
      <div class="end-words">
        <h2><${Sign} status=${e.status} /> ${titles[/** @type {keyof titles} */ (e.status)]}</h2>
        <p>${what}</p>
        ${message && !well && html`<p class="end-message mono">${message}</p>`}
        ${message && well && html`<p class="dim">${message}</p>`}
        ${words.length > 0 && html`
          <h3>Last lines of stderr</h3>
          <pre class="end-lines" tabindex="0" aria-label="Last lines of stderr">${words.map((/** @type {any} */ r) => html`<a href="#L${r.n}" data-n=${r.n}>${r.text || ' '}</a>${'\n'}`)}</pre>`}
      </div>
      <div class="end-side">
        <dl class="x-list">${facts.filter(([, v]) => v != null && v !== false).map(([k, v]) => html`<div key=${k}><dt>${k}</dt><dd class="num">${v}</dd></div>`)}</dl>
        ${change.length > 0 && html`<h3>What to change</h3>
          <dl class="change">${change.map(([setting, how]) => html`<div key=${setting}><dt class="mono">${setting}</dt><dd>${how}</dd></div>`)}</dl>`}
        ${steps.length > 0 && html`<h3>Receipt</h3>
          <ol class="receipt">${steps.map(s => html`<li key=${s.what}><span>${s.what}</span><time class="num dim" datetime=${s.at} title=${s.at}>${clock(s.at)} ${s.after}</time></li>`)}</ol>`}
      </div>
    </section>`
}
