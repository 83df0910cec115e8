// What one can do with an execution: watch, stop, run it again, take it elsewhere.
import { newKey, post } from './api.js'
import { forms, specOf } from './execution-copy.js'
import { html, useEffect, useRef, useState } from './lib.js'
import { go } from './router.js'
import { toast } from './ui.js'
import { WatchButton } from './watch.js'

/** @typedef {import('./types').Execution} Execution */

const bad = { kind: /** @type {'bad'} */ ('bad') }
const message = (/** @type {any} */ err) => [err.message, ...(err.errors ?? []).map((/** @type {any} */ f) => `${f.location} ${f.message}`)].join(' ')

/** @param {string} text @param {string} said */
export async function copy(text, said) {
  try {
    await navigator.clipboard.writeText(text)
    toast(said)
  } catch {
    toast('The browser did not let the page copy', bad)
  }
}

/** A text with a button that copies it. @param {{text: string, label: string}} props */
export const CopyText = ({ text, label }) => html`
  <span class="copy-text"><code>${text}</code><button class="quiet" aria-label=${label} title=${label} onClick=${() => copy(text, 'Copied')}>
    <svg class="icon" viewBox="0 0 16 16" aria-hidden="true"><path d="M5.5 5.5h8v8h-8zM10.5 5.5v-3h-8v8h3" /></svg></button></span>`

/** @param {{e: Execution, refresh: () => void}} props */
export function Actions({ e, refresh }) {
  const [asked, ask] = useState(false)
  const [busy, setBusy] = useState(false)
  const ended = !!e.completed_at
  const again = async () => {
    setBusy(true)
    try {
      const started = await post(`/execute/rerun/${e.execution_id}`, {}, { headers: { 'Idempotency-Key': newKey() } })
      go(`/console/executions/${started.execution_id}`)
    } catch (err) {
      toast(message(err), bad)
    }
    setBusy(false)
  }
  const stop = async () => {
    ask(false)
    try {
      const answer = await post(`/execute/cancel/${e.execution_id}`, {})
      toast(answer.delivered === 'settled' ? 'It was stopped' : 'Its worker was told to stop it')
    } catch (err) {
      toast(message(err), bad)
    }
    refresh()
  }
  return html`
    <div class="x-actions">
      ${!ended && html`<${WatchButton} id=${e.execution_id} />`}
      <${CopyAs} id=${e.execution_id} />
      <span class="group"><button onClick=${again} disabled=${busy}>Run again</button><a class="button" href="/console/new?from=${e.execution_id}">with changes…</a></span>
      ${!ended && html`<button class="danger" disabled=${!!e.cancel_requested_at} onClick=${() => ask(true)}>${e.cancel_requested_at ? 'Stopping…' : 'Cancel'}</button>`}
      ${asked && html`<${Ask} e=${e} yes=${stop} no=${() => ask(false)} />`}
    </div>`
}

/** @param {{e: Execution, yes: () => void, no: () => void}} props */
function Ask({ e, yes, no }) {
  const dialog = useRef(/** @type {HTMLDialogElement|null} */ (null))
  useEffect(() => dialog.current?.showModal(), [])
  return html`
    <dialog ref=${dialog} aria-labelledby="ask-title" onClose=${no}>
      <h2 id="ask-title">Cancel this execution?</h2>
      <p>${e.status === 'queued' ? 'It is taken out of the line and never runs.' : 'The program gets SIGTERM, and after its grace SIGKILL. What it has written until then is kept. This cannot be taken back.'}</p>
      <form method="dialog"><button>Let it run</button><button class="danger" onClick=${yes}>Cancel it</button></form>
    </dialog>`
}

/** @param {{id: string}} props */
function CopyAs({ id }) {
  const menu = useRef(/** @type {any} */ (null))
  const take = async (/** @type {string} */ name, /** @type {any} */ form) => {
    menu.current.open = false
    try {
      await copy(form(await specOf(id), location.origin), `Copied as ${name}. The token is not in it: set LONGHAUL_TOKEN.`)
    } catch (err) {
      toast(message(err), bad)
    }
  }
  return html`
    <details class="menu" ref=${menu}><summary class="button">Copy as</summary>
      <div>${forms.map(([name, form]) => html`<button key=${name} class="quiet" onClick=${() => take(name, form)}>${name}</button>`)}</div>
    </details>`
}
