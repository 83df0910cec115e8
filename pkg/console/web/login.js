// The way in. It covers the page that was asked for, which goes on where it was
// once somebody has logged in: the address stays, and so does a half-filled form.
import { lostSince, logIn } from './api.js'
import { html, useEffect, useRef, useState } from './lib.js'

/** @param {{ended: boolean}} props ended: there was a session before */
export function LogIn({ ended }) {
  const [error, setError] = useState('')
  const [busy, setBusy] = useState(false)
  const field = useRef(/** @type {HTMLInputElement|null} */ (null))
  useEffect(() => {
    document.title = 'Log in · Longhaul'
    field.current?.focus()
  }, [])
  const submit = async (/** @type {SubmitEvent} */ e) => {
    e.preventDefault()
    setBusy(true)
    try {
      await logIn(field.current?.value.trim() ?? '')
    } catch (err) {
      setBusy(false)
      setError(/** @type {Error} */ (err).message)
      field.current?.select()
    }
  }
  return html`
    <main class="login">
      <form onSubmit=${submit} class="card">
        <h1>${ended ? 'Your session has ended' : 'Longhaul'}</h1>
        <p>${ended ? 'Log in again, and this page goes on where it was.' : 'Log in with an API token of this server.'}</p>
        <label for="token">API token</label>
        <input id="token" ref=${field} type="password" autocomplete="current-password" required
          aria-describedby="token-hint" aria-invalid=${error ? 'true' : undefined} />
        <p class="hint" id="token-hint">One of the setting <code>API_TOKENS</code>. This browser keeps a signed cookie for twelve hours, never the token.</p>
        <div role="alert">${error && html`<p class="error-text">${error}</p>`}</div>
        <button class="primary" disabled=${busy}>${busy ? 'Logging in…' : 'Log in'}</button>
      </form>
      ${lostSince.value ? html`<p role="status">The server cannot be reached at the moment.</p>` : null}
    </main>`
}
