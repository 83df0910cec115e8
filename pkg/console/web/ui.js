// Pieces that every page is made of.
import { lostSince } from './api.js'
import { date, elapsed, ago } from './format.js'
import { html, signal, useEffect, useRef, useState } from './lib.js'

/** @typedef {import('./types').Status} Status */

/** The time, each second while somebody looks. */
export const now = signal(Date.now())
setInterval(() => { if (!document.hidden) now.value = Date.now() }, 1000)
document.addEventListener('visibilitychange', () => { now.value = Date.now() })

// The sign of each status is a shape of its own: nobody has to see its colour.
const signs = {
  queued: 'M8 4.5v4l2.5 1.5',
  running: '',
  completed: 'M4.8 8.2l2.2 2.3 4.2-4.8',
  failed: 'M5.5 5.5l5 5m0-5l-5 5',
  timeout: 'M5.3 4.3h5.4L5.3 11.7h5.4z',
  cancelled: 'M4 12L12 4',
  error: 'M8 4.3v4.4m0 2.4v.3',
}

/** Words for people: what each status means. @type {Record<Status, string>} */
export const meaning = {
  queued: 'waits for a worker',
  running: 'runs on a worker',
  completed: 'ended with exit code 0',
  failed: 'the program failed: an exit code other than 0, or a signal',
  timeout: 'ran or waited for longer than it may',
  cancelled: 'stopped on request',
  error: 'Longhaul could not finish it, and says why',
}

/** All statuses, in the order of a life. */
export const statuses = /** @type {Status[]} */ (Object.keys(meaning))

/** @param {{status: Status}} props */
export const Sign = ({ status }) => html`
  <svg class="sign ${status}" viewBox="0 0 16 16" aria-hidden="true">
    <circle cx="8" cy="8" r="6.75" />
    ${status === 'running' ? html`<path class="turn" d="M8 1.25a6.75 6.75 0 0 1 6.75 6.75" /><circle class="dot" cx="8" cy="8" r="2.25" />` : html`<path d=${signs[status]} />`}
  </svg>`

/** Sign and word of a status. @param {{status: Status}} props */
export const Badge = ({ status }) => html`<span class="badge ${status}" title=${meaning[status]}><${Sign} status=${status} />${status}</span>`

/**
 * A page: sets the title, and takes the focus when it is gone to.
 * @param {{title: string, actions?: any, children?: any, hideTitle?: boolean}} props
 */
export function Page({ title, actions, children, hideTitle }) {
  const heading = useRef(/** @type {HTMLElement|null} */ (null))
  useEffect(() => { document.title = `${title} · Longhaul` }, [title])
  useEffect(() => {
    if (!firstPage) heading.current?.focus({ preventScroll: true })
    firstPage = false
  }, [])
  return html`
    <div class="page-head ${hideTitle ? 'visually-hidden' : ''}">
      <h1 tabindex="-1" ref=${heading}>${title}</h1>
      ${actions && html`<div class="actions">${actions}</div>`}
    </div>
    ${children}`
}
let firstPage = true

/**
 * Loads a module, once more after a moment: the line may have been cut, as by another network.
 * @template T
 * @param {() => Promise<T>} load
 */
export const fetched = load => load().catch(() => new Promise(go => setTimeout(go, 1000)).then(load))

/**
 * A component that comes when it is first shown: what most visits do not need.
 * @param {() => Promise<any>} load
 */
export function lazy(load) {
  return (/** @type {Record<string, any>} */ props) => {
    const [found, find] = useState(/** @type {{view: any}|null} */ (null))
    useEffect(() => { fetched(load).then(view => find({ view }), () => toast('A part of this page could not be loaded. Load it again.', { kind: 'bad' })) }, [])
    return found && html`<${found.view} ...${props} />`
  }
}

/** Says how long ago, and ticks. @param {{at: string}} props */
export const Ago = ({ at }) => html`<time datetime=${at} title=${date(at)}>${ago(at, now.value)}</time>`

/** Counts up from an instant. @param {{since: string}} props */
export const Since = ({ since }) => html`<span class="num">${elapsed(now.value - Date.parse(since))}</span>`

/** A table that scrolls by itself where the screen is narrow. @param {{label: string, children?: any}} props */
export const TableBox = ({ label, children }) => html`<div class="table-wrap" role="region" aria-label=${label} tabindex="0"><table class="list">${children}</table></div>`

/** Nothing is here, and what to do about it. @param {{title: string, children?: any}} props */
export const Empty = ({ title, children }) => html`<div class="state"><p class="state-title">${title}</p>${children}</div>`

/** The first answer is on its way. It shows itself only when that takes long. */
export const Loading = () => html`<div class="state loading" role="status"><span class="spinner" aria-hidden="true"></span>Loading…</div>`

/** What went wrong. @param {{error: Error & {requestId?: string}, retry?: () => void}} props */
export const Failure = ({ error, retry }) => html`
  <div class="state failure" role="alert">
    <p class="state-title">This did not work</p>
    <p>${error.message}</p>
    ${error.requestId && html`<p class="dim">The server's log has more under request ${error.requestId}.</p>`}
    ${retry && html`<button onClick=${retry}>Try again</button>`}
  </div>`

/** Over every page while the server is away: what is shown is old. */
export const LostBanner = () => html`
  <div role="status">${lostSince.value ? html`<div class="banner"><span class="spinner" aria-hidden="true"></span>
    The server has not answered for ${elapsed(now.value - lostSince.value)}. What you see is from before; this page goes on by itself.</div>` : null}</div>`

const live = signal('')

/** Says something to those who hear the page. @param {string} text */
export function announce(text) {
  live.value = ''
  setTimeout(() => { live.value = text }, 50) // the same words again are a change too
}

export const LiveRegion = () => html`<div class="visually-hidden" aria-live="polite">${live.value}</div>`

const toasts = signal(/** @type {{id: number, text: string, kind: string, href?: string}[]} */ ([]))
let lastToast = 0

/**
 * Shows a message for a moment.
 * @param {string} text
 * @param {{kind?: 'good'|'bad', href?: string}} [options] href: where a click leads
 */
export function toast(text, { kind = 'good', href } = {}) {
  const id = ++lastToast
  toasts.value = [...toasts.value, { id, text, kind, href }].slice(-3)
  setTimeout(() => dismiss(id), kind === 'bad' ? 12_000 : 6000)
}

/** @param {number} id */
const dismiss = id => { toasts.value = toasts.value.filter(t => t.id !== id) }

export const Toasts = () => html`
  <div class="toasts" role="status">${toasts.value.map(t => html`
    <div class="toast ${t.kind}" key=${t.id}>
      ${t.href ? html`<a href=${t.href}>${t.text}</a>` : t.text}
      <button class="quiet" aria-label="Dismiss" onClick=${() => dismiss(t.id)}>✕</button>
    </div>`)}</div>`
