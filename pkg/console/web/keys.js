// Keys for those who keep their hands on the keyboard. '?' shows them all.
import { html, signal, useEffect, useRef } from './lib.js'
import { go } from './router.js'

/** Keys of the page that is shown. @type {Map<string, {what: string, run: (e: KeyboardEvent) => void}>} */
const local = new Map()

/** Where g and a letter lead. @type {Record<string, [string, string]>} */
const places = {
  e: ['executions', '/console/'], n: ['new run', '/console/new'], q: ['queue', '/console/queue'],
  w: ['workers', '/console/workers'], c: ['engines (the catalog)', '/console/engines'],
}

const helpOpen = signal(false)
// Who talks to the computer, or hits keys by chance, can turn single letters off (WCAG 2.1.4).
const lettersOn = signal(localStorage.getItem('keys') !== 'off')
let leader = 0 // until when a letter after g counts

/**
 * Gives the page keys while it is shown.
 * @param {Record<string, [string, (e: KeyboardEvent) => void]>} keys key → [what it does, doing it]
 */
export function useKeys(keys) {
  const newest = useRef(keys)
  newest.current = keys
  useEffect(() => {
    const mine = Object.keys(newest.current)
    for (const k of mine) local.set(k, { what: newest.current[k][0], run: e => newest.current[k]?.[1](e) })
    return () => mine.forEach(k => local.delete(k))
  }, [])
}

addEventListener('keydown', e => {
  if (e.ctrlKey || e.metaKey || e.altKey || e.isComposing || typing(e.target) || document.querySelector('dialog[open]')) return
  if (!lettersOn.value && e.key.length === 1 && e.key !== '?') return
  if (leader > Date.now()) {
    leader = 0
    if (places[e.key]) { e.preventDefault(); go(places[e.key][1]) }
    return
  }
  if (e.key === 'g') leader = Date.now() + 1500
  else if (e.key === '?') { e.preventDefault(); helpOpen.value = true }
  else if (local.has(e.key)) local.get(e.key)?.run(e)
})

/** @param {EventTarget|null} target */
const typing = target => target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName))

/** The list of keys. */
export function KeysHelp() {
  const dialog = useRef(/** @type {HTMLDialogElement|null} */ (null))
  useEffect(() => { if (helpOpen.value) dialog.current?.showModal() }, [helpOpen.value])
  if (!helpOpen.value) return null
  const row = (/** @type {string[]} */ keys, /** @type {string} */ what) => html`<tr key=${keys.join()}><td>${keys.map(k => html`<kbd>${k}</kbd> `)}</td><td>${what}</td></tr>`
  return html`
    <dialog ref=${dialog} aria-labelledby="keys-title" onClose=${() => { helpOpen.value = false }}>
      <h2 id="keys-title">Keys</h2>
      <table class="keys"><tbody>
        ${Object.entries(places).map(([k, [what]]) => row(['g', k], `Go to ${what}`))}
        ${[...local].map(([k, { what }]) => row([k], what))}
        ${row(['?'], 'Show this list')}
      </tbody></table>
      <label class="check"><input type="checkbox" checked=${lettersOn.value} onChange=${(/** @type {any} */ e) => {
        lettersOn.value = e.target.checked
        localStorage.setItem('keys', e.target.checked ? 'on' : 'off')
      }} /> Use single letters as keys</label>
      <form method="dialog"><button class="primary">Close</button></form>
    </dialog>`
}

export const openHelp = () => { helpOpen.value = true }
