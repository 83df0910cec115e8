// The page of one execution: where it stands, what it says, and how it ended.
import { lostSince } from './api.js'
import { Agents, Machine, Progress } from './execution-board.js'
import { Files, Preview, Result, useLeft } from './execution-files.js'
import { LogPanel } from './execution-log.js'
import { Actions, CopyText } from './execution-actions.js'
import { PhaseBar } from './execution-phases.js'
import { Following } from './execution-state.js'
import { bytes, commandLine, count, date, duration, elapsed } from './format.js'
import { html, useEffect, useMemo, useState } from './lib.js'
import { usePoll } from './poll.js'
import { Badge, Empty, Failure, Loading, Page, announce, lazy, now } from './ui.js'

const EndCard = lazy(() => import('./execution-ended.js').then(m => m.EndCard))

/** @typedef {import('./types').Execution} Execution */

/** @param {{id: string}} props */
export function ExecutionPage({ id }) {
  const [every, setEvery] = useState(5000)
  const { data: e, error, refresh } = usePoll(`/execute/status/${id}`, every)
  const following = useMemo(() => new Following(id), [id])
  const [view, setView] = useState(/** @type {any} */ (null))
  const status = e?.status
  const ended = !!e?.completed_at
  const left = useLeft(id, ended)
  following.stale = refresh
  useEffect(() => setEvery(ended ? 0 : status === 'queued' ? 2000 : 5000), [ended, status])
  useEffect(() => { if (status) announce(`Status: ${status}`) }, [status])
  if (!e) return html`<${Page} title=${id}>${/** @type {any} */ (error)?.status === 404 ? html`<${Gone} />` : error ? html`<${Failure} error=${error} retry=${refresh} />` : html`<${Loading} />`}<//>`
  const end = following.end.value
  return html`
    <${Page} title="${status}: ${commandLine(e)}" hideTitle />
    <${LineBanner} line=${following.line} failed=${following.error.value} />
    <${Head} e=${e} refresh=${refresh} />
    <${PhaseBar} e=${e} />
    ${status === 'queued' && html`<${InLine} e=${e} queue=${following.queue.value} />`}
    ${ended && html`<${EndCard} e=${e} end=${end} view=${view} />`}
    <div class="columns">
      <div class="column-main">
        ${left && html`<${Preview} artifacts=${left.artifacts} />`}
        <${LogPanel} following=${following} began=${Date.parse(e.started_at ?? e.created_at)} ended=${ended} onView=${setView} />
      </div>
      <div class="column-side">
        <${Progress} progress=${following.progress.value ?? e.progress} ended=${ended} status=${status} />
        <${Agents} following=${following} ended=${ended} />
        <${Machine} following=${following} ended=${ended} />
        ${left && html`<${Result} result=${left.result} /><${Files} artifacts=${left.artifacts} />`}
        ${left?.error && html`<p class="card side-card error-text">Result and files could not be read: ${left.error.message}</p>`}
        <${Details} e=${e} queue=${following.queue.value} />
      </div>
    </div>`
}

const Gone = () => html`<${Empty} title="There is no such execution">
  <p>Perhaps its retention is over: what has ended is kept for as long as RETENTION says.</p><p><a href="/console/">All executions</a></p><//>`

/** @param {{e: Execution, refresh: () => void}} props */
const Head = ({ e, refresh }) => html`
  <div class="x-head">
    <div class="x-title">
      <${Badge} status=${e.status} />
      <span class="x-name ${e.command ? 'mono' : ''}" title=${commandLine(e)}>${e.command ? commandLine(e) : e.engine}</span>
    </div>
    <${Actions} e=${e} refresh=${refresh} />
    <div class="x-facts dim">
      <${CopyText} text=${e.execution_id} label="Copy the id" />
      ${e.engine && e.args.length > 0 && html`<span class="mono">${commandLine({ ...e, command: null, engine: '' }).trim()}</span>`}
      ${e.worker && html`<span>on <strong>${e.worker}</strong></span>`}
      ${(e.max_attempts > 1 || e.attempt > 1) && e.attempt > 0 && html`<span>attempt ${e.attempt} of ${e.max_attempts}</span>`}
      ${/** @type {any} */ (e).rerun_of && html`<span>rerun of <a class="mono" href="/console/executions/${/** @type {any} */ (e).rerun_of}">${/** @type {any} */ (e).rerun_of}</a></span>`}
      ${Object.entries(e.labels ?? {}).map(([k, v]) => html`<a key=${k} class="label" href="/console/?label=${encodeURIComponent(`${k}=${v}`)}">${k}: ${v}</a>`)}
    </div>
  </div>`

/** Its place in line, and when its turn may come. @param {{e: Execution, queue: string}} props */
function InLine({ e, queue }) {
  const { data } = usePoll('/queue/stats', 5000)
  const stats = /** @type {any} */ (data)
  const line = stats?.queues?.[queue] ?? stats
  const before = e.queue_position ?? 0
  const wait = line?.expected_wait_seconds
  const share = line?.depth > 0 ? Math.min(1, (before + 1) / line.depth) : 1
  return html`
    <section class="card in-line" aria-label="Place in line">
      <p class="big">${before ? `${count(before, 'execution')} before it` : 'Next in line'}</p>
      <p class="dim">In the queue <strong>${queue || 'default'}</strong> for ${elapsed(now.value - Date.parse(e.created_at))}.
        ${wait != null && ` Expected to start in about ${duration(Math.max(1, Math.round(wait * share)))}.`}
        ${stats && (stats.workers ? ` ${count(stats.workers, 'worker')}, ${stats.running} of ${count(stats.capacity, 'slot')} busy.` : html` <strong class="error-text">There is no worker: start one, or nothing begins.</strong>`)}
      </p>
    </section>`
}

/** The line to the server is cut: when it is tried again. What comes then goes on without a hole. @param {{line: any, failed: Error|null}} props */
function LineBanner({ line, failed }) {
  const { state, until } = line.value
  // A line that is renewed at once, as servers do now and then, is no news.
  const [late, setLate] = useState(false)
  useEffect(() => {
    setLate(false)
    if (state !== 'waiting') return
    const timer = setTimeout(() => setLate(true), 1500)
    return () => clearTimeout(timer)
  }, [state === 'waiting'])
  if (failed) return html`<div class="banner inset" role="alert">The log cannot be read: ${failed.message}</div>`
  if (state !== 'waiting' || !late || lostSince.value) return null // one banner is enough, and the page's says more
  const left = Math.max(0, Math.ceil(((until ?? 0) - now.value) / 1000))
  return html`<div class="banner inset" role="status"><span class="spinner" aria-hidden="true"></span>
    <span>The line to the server is cut. ${left ? `Trying again in ${left} s.` : 'Trying again…'} The execution runs on; no line of its log is lost.</span></div>`
}

/** @param {{e: Execution, queue: string}} props */
function Details({ e, queue }) {
  const rows = /** @type {[string, any][]} */ ([
    ['Queue', queue], ['Worker', e.worker], ['Attempts', `${e.attempt} of ${e.max_attempts}`], ['Time limit', duration(e.timeout_seconds)],
    ['Accepted', date(e.created_at)], ['Started', e.started_at && date(e.started_at)], ['Ended', e.completed_at && date(e.completed_at)],
    ['Output', bytes(e.log_bytes)], ['Events', e.last_event.toLocaleString()]
  ])
  return html`
    <section class="card side-card" aria-label="Details"><h2>Details</h2>
      <dl class="x-list">${rows.filter(([, v]) => v).map(([k, v]) => html`<div key=${k}><dt>${k}</dt><dd class="num">${v}</dd></div>`)}</dl>
    </section>`
}
