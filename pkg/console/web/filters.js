// What the list of executions shows: all of it is in the address.
import { html, useEffect, useMemo, useRef } from './lib.js'
import { useKeys } from './keys.js'
import { usePoll } from './poll.js'
import { here, query, setQuery } from './router.js'
import { Sign, statuses } from './ui.js'

/** @typedef {import('./types').Status} Status */

const ranges = { '1h': 'the last hour', '24h': 'the last 24 hours', '7d': 'the last 7 days' }
const seconds = { h: 3600, d: 86400 }
const names = ['status', 'q', 'engine', 'worker', 'label', 'range']
export const pageSize = 50

/** Whether anything but the whole list is shown. */
export const filtered = () => names.some(n => query(n))

/** The path that answers what the address asks for. */
export function useListPath() {
  const range = query('range')
  // Fixed when it is chosen: a path that changes each minute would start over each minute.
  const since = useMemo(() => {
    const m = range.match(/^(\d+)([hd])$/)
    return m ? new Date(Date.now() - Number(m[1]) * seconds[/** @type {'h'|'d'} */ (m[2])] * 1000).toISOString() : ''
  }, [range])
  const ask = new URLSearchParams({ limit: String(pageSize), counts: 'true' })
  for (const n of ['status', 'q', 'engine', 'worker', 'label', 'cursor']) if (query(n)) ask.set(n, query(n))
  if (since) ask.set('since', since)
  return `/execute/list?${ask}`
}

/** @param {Record<string, string>} parts */
const choose = parts => setQuery({ ...parts, cursor: '' }, { replace: true })

/** Counts by status; each is a filter. @param {{counts?: Record<string, number>}} props */
export function Counts({ counts }) {
  const chosen = query('status')
  const link = (/** @type {string} */ status) => {
    const url = new URL(here.value)
    url.searchParams.delete('cursor')
    if (status) url.searchParams.set('status', status)
    else url.searchParams.delete('status')
    return url.pathname + url.search
  }
  const all = counts && Object.values(counts).reduce((a, b) => a + b, 0)
  return html`
    <nav class="counts" aria-label="By status">
      <a href=${link('')} aria-current=${!chosen ? 'true' : undefined}>all <b class="num">${all?.toLocaleString()}</b></a>
      ${statuses.map(s => html`
        <a key=${s} class=${s} href=${link(chosen === s ? '' : s)} aria-current=${chosen === s ? 'true' : undefined}>
          <${Sign} status=${s} />${s} <b class="num">${counts?.[s]?.toLocaleString()}</b></a>`)}
    </nav>`
}

/** @param {{workers: string[]}} props workers: known by name from the list itself */
export function Filters({ workers }) {
  const search = useRef(/** @type {HTMLInputElement|null} */ (null))
  const timer = useRef(0)
  useKeys({ '/': ['Search', e => { e.preventDefault(); search.current?.select() }] })
  const engines = /** @type {import('./types').Engines|null} */ (usePoll('/engines', 0).data)
  const later = (/** @type {string} */ name) => (/** @type {any} */ e) => {
    const value = e.target.value.trim()
    clearTimeout(timer.current)
    timer.current = setTimeout(() => choose({ [name]: value }), 250)
  }
  useEffect(() => () => clearTimeout(timer.current), [])
  const pick = (/** @type {string} */ name) => (/** @type {any} */ e) => choose({ [name]: e.target.value })
  const options = (/** @type {string} */ name, /** @type {string[]} */ list) => [...new Set([...list, query(name)])].filter(Boolean).sort()
    .map(v => html`<option key=${v} value=${v}>${v}</option>`)
  return html`
    <form class="filters" role="search" onSubmit=${(/** @type {Event} */ e) => e.preventDefault()}>
      <input ref=${search} type="search" aria-label="Search executions" placeholder="Search id, command, engine, label  ( / )" value=${query('q')} onInput=${later('q')} />
      <select aria-label="Engine" value=${query('engine')} onChange=${pick('engine')}>
        <option value="">Any engine</option>${options('engine', (engines?.engines ?? []).filter(e => e.kind === 'engine').map(e => e.name))}</select>
      <select aria-label="Worker" value=${query('worker')} onChange=${pick('worker')}>
        <option value="">Any worker</option>${options('worker', workers)}</select>
      <select aria-label="Time" value=${query('range')} onChange=${pick('range')}>
        <option value="">Any time</option>${Object.entries(ranges).map(([v, text]) => html`<option key=${v} value=${v}>${text}</option>`)}</select>
      <input type="text" aria-label="Label" placeholder="Label: key=value" value=${query('label')} onInput=${later('label')} />
      <button type="button" class="quiet" hidden=${!filtered()} onClick=${() => choose(Object.fromEntries(names.map(n => [n, ''])))}>Clear</button>
    </form>`
}
