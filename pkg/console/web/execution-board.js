// What the program tells of itself while it runs: progress, its agents, and what it
// takes of the machine.
import { bytes, count, duration, elapsed } from './format.js'
import { html } from './lib.js'
import { now } from './ui.js'

/** @typedef {import('./execution-state.js').Following} Following */

/** @param {{progress: any, ended: boolean, status: string}} props */
export function Progress({ progress, ended, status }) {
  if (!progress) return null
  const percent = Math.min(100, Math.max(0, Number(progress.percent)))
  const known = progress.percent != null && isFinite(percent)
  return html`
    <section class="card side-card ${ended ? '' : 'first'}" aria-label="Progress">
      <div class="row"><h2>Progress</h2>${known && html`<span class="num strong">${Math.round(percent)} %</span>`}</div>
      <div class="meter ${ended ? status : 'running'} ${known || ended ? '' : 'unknown'}" role="progressbar" aria-label="Progress" aria-valuemin="0" aria-valuemax="100"
        aria-valuenow=${known ? Math.round(percent) : undefined}><span style=${{ width: known ? `${percent}%` : ended ? '0' : '30%' }}></span></div>
      ${progress.message && html`<p class="dim">${progress.message}</p>`}
    </section>`
}

// Words of agents, whatever the engine calls its states, as the signs of ours.
const kinds = /** @type {[RegExp, string, string][]} */ ([
  [/^(completed|done|finished|ok|success)$/i, 'completed', '✓'],
  [/^(failed|error)$/i, 'failed', '✕'],
  [/^(cancelled|skipped)$/i, 'cancelled', '–'],
  [/^(waiting|queued|pending|idle)$/i, 'queued', '○']
])
/** @param {string} status */
const kindOf = status => kinds.find(([words]) => words.test(status)) ?? [null, 'running', '●']

/** @param {{following: Following, ended: boolean}} props */
export function Agents({ following, ended }) {
  const agents = following.agents.value
  if (!agents.length) return null
  const busy = agents.filter(a => !a.until).length
  const last = ended ? Date.parse(following.end.value?.group_empty_at) || now.value : 0
  return html`
    <section class="card side-card ${ended ? '' : 'first'}" aria-label="Agents">
      <div class="row"><h2>Agents</h2><span class="dim num">${ended || !busy ? agents.length : `${busy} of ${agents.length} at work`}</span></div>
      <ul class="agents">${agents.map(a => {
        const [, kind, sign] = kindOf(a.status)
        const stopped = ended && kind === 'running' // the program ended without a word about it
        return html`
          <li key=${a.name}>
            <span class="agent-sign ${stopped ? 'cancelled' : kind} ${kind === 'running' && !ended ? 'live' : ''}" aria-hidden="true">${stopped ? '–' : sign}</span>
            <span class="agent-name">${a.name}</span>
            <span class="agent-status dim">${stopped ? `${a.status || 'at work'} at the end` : a.status || 'at work'}</span>
            <span class="num dim">${a.until || last ? duration(((a.until || last) - a.since) / 1000) : elapsed(now.value - a.since)}</span>
            ${a.message && html`<span class="agent-message">${a.message}</span>`}
          </li>`
      })}</ul>
    </section>`
}

/** @param {{following: Following, ended: boolean}} props */
export function Machine({ following, ended }) {
  const samples = following.samples.value.filter(s => s.processes > 0 && s.memory > 0) // the last one may be of what has ended
  if (!samples.length) return null
  return html`
    <section class="card side-card" aria-label="What it takes">
      <h2>Machine</h2>
      <${Sparkline} name="CPU" values=${samples.map(s => s.cpu)} form=${cores} ended=${ended} span=${spanOf(samples)} />
      <${Sparkline} name="Memory" values=${samples.map(s => s.memory)} form=${bytes} ended=${ended} span=${spanOf(samples)} />
      ${!ended && html`<p class="dim num">${count(samples[samples.length - 1].processes, 'process', 'processes')}</p>`}
    </section>`
}

/** 100 % is one core. @param {number} n */
const cores = n => `${Math.round(n)} %`

/** @param {import('./execution-state.js').Sample[]} samples */
const spanOf = samples => duration((samples[samples.length - 1].time - samples[0].time) / 1000)

const W = 280
const H = 44

/** @param {{name: string, values: number[], form: (n: number) => string, ended: boolean, span: string}} props */
function Sparkline({ name, values, form, ended, span }) {
  const known = values.filter(v => v != null)
  const [min, max, last] = [Math.min(...known), Math.max(...known), known[known.length - 1]]
  const y = (/** @type {number} */ v) => H - 3 - (max ? v / max : 0) * (H - 6)
  const x = (/** @type {number} */ i) => (values.length > 1 ? (i / (values.length - 1)) * W : W)
  const line = values.map((v, i) => `${i ? 'L' : 'M'}${x(i).toFixed(1)} ${y(v ?? 0).toFixed(1)}`).join('')
  const label = `${name} over ${span}: from ${form(min)} to ${form(max)}${ended ? '' : `, now ${form(last)}`}`
  return html`
    <div class="spark">
      <div class="row"><span>${name}</span><span class="num">${ended ? html`<span class="dim">at most </span>` : ''}<strong>${form(ended ? max : last)}</strong></span></div>
      <svg viewBox="0 0 ${W} ${H}" preserveAspectRatio="none" role="img" aria-label=${label}>
        <path class="area" d="${values.length > 1 ? line : `M0 ${y(last)}L${W} ${y(last)}`}L${W} ${H}L0 ${H}z" />
        <path class="line" d=${values.length > 1 ? line : `M0 ${y(last)}L${W} ${y(last)}`} />
      </svg>
      <div class="row dim num"><span>min ${form(min)}</span><span>${span}</span><span>max ${form(max)}</span></div>
    </div>`
}
