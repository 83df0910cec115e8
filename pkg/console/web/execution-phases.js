// The life of an execution as a bar: in line, attempts, and what lies between. It
// grows while it lives.
import { clock, duration, elapsed } from './format.js'
import { html } from './lib.js'
import { now } from './ui.js'

/** @typedef {import('./types').Execution} Execution */
/** @typedef {{kind: string, label: string, from: number, to: number, live?: boolean, why?: string}} Phase */

/**
 * @param {Execution} e @param {number} at the time now
 * @returns {Phase[]}
 */
export function phasesOf(e, at) {
  const t = (/** @type {string|null} */ s) => Date.parse(s ?? '')
  const end = t(e.completed_at) || Math.max(at, t(e.created_at))
  const several = e.attempt > 1
  const phases = /** @type {Phase[]} */ ([])
  let from = t(e.created_at)
  for (const p of e.past_attempts) {
    phases.push({ kind: 'queued', label: phases.length ? 'in line again' : 'in line', from, to: t(p.started_at) })
    phases.push({ kind: 'error', label: `attempt ${p.attempt}`, from: t(p.started_at), to: t(p.ended_at), why: `${p.reason.replaceAll('_', ' ')}, ${p.worker}` })
    from = t(p.ended_at)
  }
  const runs = e.started_at && e.status !== 'queued' && t(e.started_at) >= from
  phases.push({ kind: 'queued', label: e.past_attempts.length ? 'in line again' : 'in line', from, to: runs ? t(e.started_at) : end, live: e.status === 'queued' })
  if (runs) phases.push({ kind: e.status, label: several ? `attempt ${e.attempt}` : 'running', from: t(e.started_at), to: end, live: e.status === 'running' })
  return phases.map(p => ({ ...p, to: Math.max(p.from, p.to) }))
}

/** @param {{e: Execution}} props */
export function PhaseBar({ e }) {
  const phases = phasesOf(e, now.value)
  const last = phases[phases.length - 1]
  const total = last.to - phases[0].from
  const long = (/** @type {Phase} */ p) => (p.live ? elapsed(p.to - p.from) : duration((p.to - p.from) / 1000))
  return html`
    <div class="phases" aria-hidden="true">${phases.map(p => html`
      <span key=${p.label + p.from} class="phase ${p.kind} ${p.live ? 'live' : ''}" style=${{ flexGrow: Math.max((p.to - p.from) / (total || 1), 0.001) * 1000 }}
        title="${p.label}: ${clock(p.from)} to ${p.live ? 'now' : clock(p.to)}"></span>`)}</div>
    <div class="phase-words num">
      <ol aria-label="What happened when">${phases.map(p => html`
        <li key=${p.label + p.from} class="phase-word ${p.kind}"><span>${p.label} <strong>${long(p)}</strong>${p.why && html` <span class="dim">(${p.why})</span>`}</span></li>`)}</ol>
      <p class="dim">
        <span>Accepted <time datetime=${e.created_at} title=${e.created_at}>${clock(e.created_at)}</time></span>
        ${e.completed_at && html`<span>Ended <time datetime=${e.completed_at} title=${e.completed_at}>${clock(e.completed_at)}</time>, ${duration(total / 1000)} in all</span>`}
        ${e.status === 'running' && e.deadline && html`<span>Time limit ${clock(e.deadline)}, in ${duration(Math.max(0, (Date.parse(e.deadline) - now.value) / 1000))}</span>`}
      </p>
    </div>`
}
