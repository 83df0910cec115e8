// Tells with a notification of the browser when a watched execution has ended, as
// long as some page of the console is open, this one or another.
import { get } from './api.js'
import { commandLine, duration } from './format.js'
import { html, signal } from './lib.js'
import { go } from './router.js'
import { announce, toast } from './ui.js'

/** @typedef {import('./types').Execution} Execution */

const every = 3000
const stored = () => /** @type {string[]} */ (JSON.parse(localStorage.getItem('watched') ?? '[]'))

/** Ids of the executions that are watched, in all tabs of this browser. */
export const watched = signal(stored())
addEventListener('storage', e => { if (e.key === 'watched') watched.value = stored() })

/** @param {string[]} ids */
function keep(ids) {
  localStorage.setItem('watched', JSON.stringify(ids.slice(-50)))
  watched.value = stored()
}

/**
 * Begins or stops to watch. The browser is asked for permission the first time; without
 * it the page itself tells.
 * @param {string} id
 */
export async function toggleWatch(id) {
  if (watched.value.includes(id)) return keep(watched.value.filter(w => w !== id))
  keep([...watched.value, id])
  announce('You will be told when it ends')
  if ('Notification' in window && Notification.permission === 'default') await Notification.requestPermission()
}

/** A button that watches a running execution. @param {{id: string}} props */
export function WatchButton({ id }) {
  const on = watched.value.includes(id)
  return html`<button aria-pressed=${on} onClick=${() => toggleWatch(id)} title="Tell me when it has ended">
    <svg class="icon" viewBox="0 0 16 16" aria-hidden="true"><path d="M4 11V7a4 4 0 0 1 8 0v4l1.2 1.5H2.8zM6.5 14.2h3" /></svg>${on ? 'Watching' : 'Watch'}</button>`
}

// Hidden pages look too, that is what it is for. One tab at a time tells.
async function look() {
  for (const id of watched.value) {
    try {
      const e = /** @type {Execution} */ (await get(`/execute/status/${id}`))
      if (e.completed_at && stored().includes(id)) {
        keep(stored().filter(w => w !== id))
        tell(e)
      }
    } catch (err) {
      if (/** @type {any} */ (err).status === 404) keep(stored().filter(w => w !== id))
    }
  }
}
setInterval(() => { if (watched.value.length) navigator.locks?.request('longhaul-watch', { ifAvailable: true }, lock => lock && look()) ?? look() }, every)

/** @param {Execution} e */
function tell(e) {
  const href = `/console/executions/${e.execution_id}`
  const title = `${e.status}: ${commandLine(e)}`.slice(0, 100)
  toast(`${title}, after ${duration(e.duration_seconds)}`, { kind: e.status === 'completed' ? 'good' : 'bad', href })
  if (!('Notification' in window) || Notification.permission !== 'granted') return
  const n = new Notification(title, { body: e.error_message ?? `after ${duration(e.duration_seconds)}`, tag: e.execution_id })
  n.onclick = () => { focus(); go(href); n.close() }
}
