// Who waits, and for how long.
import { commandLine, count, duration, elapsed } from './format.js'
import { html } from './lib.js'
import { usePoll } from './poll.js'
import { Empty, Failure, Loading, Page, Since, TableBox } from './ui.js'

/** @typedef {import('./types').QueueStats} QueueStats */
/** @typedef {import('./types').Execution} Execution */

const most = 200 // of those in line that one answer of the list can hold

export function Queue() {
  const { data, error, refresh } = usePoll('/queue/stats')
  const stats = /** @type {QueueStats|null} */ (data)
  const waiting = usePoll(stats?.depth ? `/execute/list?status=queued&limit=${most}` : '')
  const list = /** @type {import('./types').List|null} */ (waiting.data)
  const body = () => {
    if (!stats) return error ? html`<${Failure} error=${error} retry=${refresh} />` : html`<${Loading} />`
    return html`<${Numbers} s=${stats} /><${Lines} s=${stats} />
      <h2 class="section">Next in line</h2>
      ${stats.depth ? html`<${Next} list=${list?.executions ?? []} depth=${stats.depth} />` : html`<${Empty} title="Nobody waits" />`}`
  }
  return html`<${Page} title="Queue">${body()}<//>`
}

/** @param {{s: QueueStats}} props */
function Numbers({ s }) {
  const taken = s.capacity ? Math.min(100, (100 * s.running) / s.capacity) : 0
  return html`
    <dl class="numbers">
      <div><dt>Waiting</dt><dd>${s.depth.toLocaleString()}</dd><dd class="hint">${s.delayed ? `and ${s.delayed.toLocaleString()} that may not run yet` : 'executions in line'}</dd></div>
      <div><dt>Running</dt><dd>${s.running.toLocaleString()} <small>of ${s.capacity.toLocaleString()}</small></dd>
        <dd><progress max="100" value=${taken} aria-label="Slots taken"></progress></dd></div>
      <div><dt>Expected wait</dt><dd>${s.depth ? duration(s.expected_wait_seconds) : 'none'}</dd><dd class="hint">for one that comes now</dd></div>
      <div><dt>Longest wait</dt><dd>${s.depth ? elapsed(s.oldest_age_seconds * 1000) : 'none'}</dd><dd class="hint">of the first in line</dd></div>
      <div><dt>Throughput</dt><dd>${s.throughput_per_minute == null ? '–' : round(s.throughput_per_minute)} <small>a minute</small></dd><dd class="hint">${count(s.workers, 'worker')}${s.draining ? `, ${s.draining} draining` : ''}</dd></div>
    </dl>`
}

/** @param {number} n */
const round = n => (n < 10 ? n.toFixed(1) : Math.round(n).toLocaleString())

/** @param {{s: QueueStats}} props */
const Lines = ({ s }) => html`
  <${TableBox} label="Each queue">
    <thead><tr><th scope="col">Queue</th><th scope="col" class="right">Waiting</th><th scope="col" class="right">Running</th><th scope="col" class="right">Longest wait</th><th scope="col" class="right">Expected wait</th><th scope="col" class="right">A minute</th></tr></thead>
    <tbody>${Object.entries(s.queues).map(([name, q]) => html`
      <tr key=${name}><th scope="row">${name}</th><td class="right num">${q.depth.toLocaleString()}</td><td class="right num">${q.running.toLocaleString()}</td>
        <td class="right num">${q.depth ? elapsed(q.oldest_age_seconds * 1000) : '–'}</td><td class="right num">${q.depth ? duration(q.expected_wait_seconds) : '–'}</td>
        <td class="right num">${q.throughput_per_minute == null ? '–' : round(q.throughput_per_minute)}</td></tr>`)}</tbody>
  <//>`

/** @param {{list: Execution[], depth: number}} props */
function Next({ list, depth }) {
  if (depth > most) return html`<p class="dim">${depth.toLocaleString()} wait: too many to show. <a href="/console/?status=queued">The list</a> has them.</p>`
  const first = [...list].sort((a, b) => (a.queue_position ?? Infinity) - (b.queue_position ?? Infinity)).slice(0, 20)
  return html`
    <${TableBox} label="Those that wait, the first in line first">
      <colgroup><col class="c-place" /></colgroup>
      <thead><tr><th scope="col" class="right">Place</th><th scope="col">What</th><th scope="col" class="right">Waits</th></tr></thead>
      <tbody>${first.map(e => html`
        <tr key=${e.execution_id}><td class="right num">${e.queue_position == null ? '–' : e.queue_position + 1}</td>
          <td class="c-what"><a class="mono" href=${`/console/executions/${e.execution_id}`}>${commandLine(e)}</a></td>
          <td class="right"><${Since} since=${e.created_at} /></td></tr>`)}</tbody>
    <//>`
}
