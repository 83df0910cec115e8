// Who works: each worker with its slots.
import { ago, commandLine, count } from './format.js'
import { html } from './lib.js'
import { usePoll } from './poll.js'
import { Ago, Empty, Failure, Loading, Page, Since, now } from './ui.js'

/** @typedef {import('./types').Worker} Worker */
/** @typedef {import('./types').Execution} Execution */

const late = 12_000 // a worker says that it lives every 5 s: two beats may be missed

export function Workers() {
  const { data, error, refresh } = usePoll('/workers')
  const list = /** @type {import('./types').Workers|null} */ (data)?.workers
  const busy = list?.some(w => w.executions.length)
  const running = /** @type {import('./types').List|null} */ (usePoll(busy ? '/execute/list?status=running&limit=200' : '').data)
  const known = new Map((running?.executions ?? []).map(e => [e.execution_id, e]))
  const body = () => {
    if (!list) return error ? html`<${Failure} error=${error} retry=${refresh} />` : html`<${Loading} />`
    if (!list.length) return html`<${Empty} title="No worker is here"><p>What is started waits until one comes. Start <code>bin/worker</code> with the same <code>REDIS_URL</code>.</p><//>`
    return html`<${Sum} list=${list} /><div class="cards">${list.map(w => html`<${Card} key=${w.worker} w=${w} known=${known} />`)}</div>`
  }
  return html`<${Page} title="Workers">${body()}<//>`
}

/** @param {{list: Worker[]}} props */
function Sum({ list }) {
  const slots = list.reduce((n, w) => n + w.slots, 0)
  const running = list.reduce((n, w) => n + w.running, 0)
  return html`<p class="lead">${count(list.length, 'worker')} with ${count(slots, 'slot')}: <b>${running}</b> taken, <b>${Math.max(0, slots - running)}</b> free.</p>`
}

/** @param {{w: Worker, known: Map<string, Execution>}} props known: what runs, as far as one answer tells */
function Card({ w, known }) {
  const what = (/** @type {string} */ id) => { const e = known.get(id); return e ? commandLine(e) : id }
  const lost = now.value - Date.parse(w.last_seen_at) > late
  const state = lost ? ['lost', 'error', 'not heard of'] : w.draining ? ['drains', 'timeout', 'finishes what it has, takes nothing new'] : w.running >= w.slots ? ['full', 'running', 'all slots are taken'] : ['ready', 'completed', 'takes work']
  return html`
    <section class="card worker" aria-label=${w.worker}>
      <div class="card-head"><h2 class="mono">${w.worker}</h2><span class="pill ${state[1]}" title=${state[2]}>${state[0]}</span></div>
      <ul class="slots" aria-label=${`${w.running} of ${count(w.slots, 'slot')} taken`}>
        ${w.executions.map((id, i) => html`<li key=${id}><a class="slot" href=${`/console/executions/${id}`} title=${what(id)} aria-label=${`Slot ${i + 1} runs ${what(id)}`}></a></li>`)}
        ${Array.from({ length: Math.max(0, w.slots - w.executions.length) }, (_, i) => html`<li key=${i}><span class="slot free"></span></li>`)}
      </ul>
      <dl class="facts">
        <dt>Slots</dt><dd class="num">${w.running} of ${w.slots} taken</dd>
        <dt>Last heard</dt><dd class=${lost ? 'error' : ''}>${ago(w.last_seen_at, now.value)}</dd>
        <dt>Works since</dt><dd><${Ago} at=${w.started_at} /></dd>
        <dt>Takes from</dt><dd>${w.queues.join(', ')}</dd>
        <dt>Version</dt><dd class="mono">${w.version}</dd>
      </dl>
      ${w.executions.length > 0 && html`<h3>Runs now</h3>
        <ul class="plain">${w.executions.map(id => html`
          <li key=${id}><a class="mono" href=${`/console/executions/${id}`} title=${id}>${what(id)}</a>${known.get(id)?.started_at && html`<${Since} since=${known.get(id)?.started_at} />`}</li>`)}</ul>`}
    </section>`
}
