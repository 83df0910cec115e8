// What an execution leaves: its result, and files with a preview of each kind.
import { get, send } from './api.js'
import { bytes } from './format.js'
import { html, useEffect, useState } from './lib.js'
import { query, setQuery } from './router.js'
import { lazy } from './ui.js'

/** @typedef {import('./types').Artifact} Artifact */
/** @typedef {import('./types').Execution} Execution */

const Markdown = lazy(() => import('./preview.js').then(m => m.Markdown))
const Table = lazy(() => import('./preview.js').then(m => m.Table))
const Tree = lazy(() => import('./preview.js').then(m => m.Tree))

const most = 512 << 10 // bytes of a text that are shown
const openLevels = 4 // of JSON, at first

/**
 * Result and artifacts, read when the execution has ended.
 * @param {string} id @param {boolean} ended
 * @returns {{result: any, artifacts: Artifact[], error: Error|null}|null}
 */
export function useLeft(id, ended) {
  const [left, set] = useState(/** @type {any} */ (null))
  useEffect(() => {
    if (!ended) return
    const stop = new AbortController()
    get(`/execute/output/${id}?limit=1`, { signal: stop.signal }).then(
      page => set({ result: page.result, artifacts: page.artifacts, error: null }),
      error => stop.signal.aborted || set({ result: null, artifacts: [], error })
    )
    return () => stop.abort()
  }, [id, ended])
  return left
}

/** @param {{result: any}} props */
export const Result = ({ result }) => result == null ? null : html`
  <section class="card side-card" aria-label="Result"><h2>Result</h2><${Tree} value=${result} levels=${openLevels} /></section>`

/** @param {{artifacts: Artifact[]}} props */
export function Files({ artifacts }) {
  if (!artifacts.length) return null
  const chosen = query('file')
  return html`
    <section class="card side-card" aria-label="Files">
      <div class="row"><h2>Files</h2><span class="dim num">${artifacts.length}</span></div>
      <ul class="files">${artifacts.map(a => html`
        <li key=${a.path}>
          <button class="quiet file" aria-pressed=${chosen === a.path} onClick=${() => setQuery({ file: a.path })}>${a.path}</button>
          <span class="num dim">${bytes(a.size)}</span>
          <a href=${a.url} download aria-label="Download ${a.path}" title="Download">↓</a>
        </li>`)}</ul>
    </section>`
}

/** The chosen file, over the log. @param {{artifacts: Artifact[]}} props */
export function Preview({ artifacts }) {
  const file = artifacts.find(a => a.path === query('file'))
  if (!file) return null
  const close = () => setQuery({ file: '' })
  return html`
    <section class="card preview" aria-label="Preview of ${file.path}" onKeyDown=${(/** @type {KeyboardEvent} */ e) => e.key === 'Escape' && close()}>
      <div class="row"><h2 class="mono">${file.path}</h2><span class="dim num">${file.content_type.split(';')[0]}, ${bytes(file.size)}</span><span class="grow"></span>
        <a class="button" href=${file.url} download>Download</a>
        ${!/html|svg|xml/.test(file.content_type) && html`<a class="button" href="${file.url}?inline=1" target="_blank" rel="noopener">Open</a>`}
        <button onClick=${close} aria-label="Close the preview">Close</button></div>
      <${Shown} key=${file.path} file=${file} artifacts=${artifacts} />
    </section>`
}

/** @param {{file: Artifact, artifacts: Artifact[]}} props */
function Shown({ file, artifacts }) {
  const kind = file.content_type.split(';')[0]
  const inline = `${file.url}?inline=1`
  if (kind.startsWith('image/')) return html`<div class="preview-image"><img src=${inline} alt=${file.path} /></div>`
  // sandbox without allow-scripts: nothing in the page runs, whatever the server would let it.
  if (kind === 'text/html' || kind === 'application/xhtml+xml') return html`<iframe sandbox="" src=${inline} title=${file.path}></iframe>`
  if (/^text\/|json|yaml|xml|javascript/.test(kind)) return html`<${Text} file=${file} kind=${kind} artifacts=${artifacts} />`
  return html`<p class="dim">There is no preview of this kind of file.</p>`
}

/** @param {{file: Artifact, kind: string, artifacts: Artifact[]}} props */
function Text({ file, kind, artifacts }) {
  const [text, set] = useState(/** @type {string|null} */ (null))
  const [error, fail] = useState('')
  useEffect(() => {
    const stop = new AbortController()
    send(file.url, { signal: stop.signal, headers: file.size > most ? { Range: `bytes=0-${most - 1}` } : {} })
      .then(res => (res.ok ? res.text().then(set) : fail(`The server answered with ${res.status}.`)))
      .catch(err => stop.signal.aborted || fail(err.message))
    return () => stop.abort()
  }, [])
  if (error) return html`<p class="error-text">${error}</p>`
  if (text === null) return html`<p class="dim">Loading…</p>`
  const cut = file.size > most && html`<p class="dim">Only the first ${bytes(most)} are shown.</p>`
  return html`${cut}<div class="preview-text" tabindex="0" role="region" aria-label=${file.path}>${shape(text, kind, file, artifacts)}</div>`
}

/** @param {string} text @param {string} kind @param {Artifact} file @param {Artifact[]} artifacts */
function shape(text, kind, file, artifacts) {
  const name = file.path.toLowerCase()
  if (kind === 'text/markdown' || name.endsWith('.md')) return html`<${Markdown} text=${text} link=${linkFrom(file.path, artifacts)} />`
  if (kind === 'text/csv' || /\.[ct]sv$/.test(name)) return html`<${Table} text=${text} separator=${name.endsWith('.tsv') ? '\t' : ','} />`
  if (/json$/.test(kind)) {
    try {
      return html`<${Tree} value=${JSON.parse(text)} levels=${openLevels} />`
    } catch {} // cut off, or no JSON after all
  }
  return html`<pre>${text}</pre>`
}

/** Finds the artifact that a relative link in a file means. @param {string} from @param {Artifact[]} artifacts */
const linkFrom = (from, artifacts) => (/** @type {string} */ to) => {
  const path = decodeURIComponent(new URL(to, 'file:///' + from).pathname).slice(1)
  return artifacts.find(a => a.path === path)
}
