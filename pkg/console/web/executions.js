// The page of all executions: counts, filters, timeline, list.
import { Gantt } from './gantt.js'
import { Counts, Filters, filtered, pageSize, useListPath } from './filters.js'
import { count } from './format.js'
import { useKeys } from './keys.js'
import { html, useMemo, useRef, useState } from './lib.js'
import { usePoll } from './poll.js'
import { go, query, setQuery } from './router.js'
import { Table } from './table.js'
import { Empty, Failure, Loading, Page } from './ui.js'

/** @typedef {import('./types').Execution} Execution */
/** @typedef {import('./types').List} List */

export function Executions() {
  const path = useListPath()
  const { data, error, stale, refresh } = usePoll(path, 2000, { keep: true })
  const list = /** @type {List|null} */ (data)
  const [selected, select] = useState('')
  const { shown, held, hold, release } = useCalm(list?.executions ?? [], path)
  const workers = useMemo(() => (list?.executions ?? []).map(e => e.worker ?? '').filter(Boolean), [list])
  useSelection(shown, selected, select)

  const body = () => {
    if (!list) return error ? html`<${Failure} error=${error} retry=${refresh} />` : html`<${Loading} />`
    const older = list.next_cursor ?? list.scanned_to
    if (!shown.length && !held) return html`<${Nothing} older=${older} />`
    return html`
      <${Gantt} executions=${shown} selected=${selected} onSelect=${select} />
      <div class="list-head" aria-live="polite">${held > 0 && html`<button onClick=${release}>Show ${held} new</button>`}</div>
      <div onPointerEnter=${hold} onPointerLeave=${release}><${Table} executions=${shown} selected=${selected} onSelect=${select} dim=${stale} /></div>
      <${Paging} older=${older} shown=${shown.length} />`
  }
  return html`<${Page} title="Executions">
    <${Counts} counts=${list?.counts} />
    <${Filters} workers=${workers} />
    ${body()}
  <//>`
}

/**
 * Rows that do not jump: while the pointer is over the list, those that came since
 * wait behind a button. What is known of the others stays fresh.
 * @param {Execution[]} newest @param {string} path
 */
function useCalm(newest, path) {
  const [held, setHeld] = useState(/** @type {{path: string, ids: Set<string>}|null} */ (null))
  const holds = held?.path === path
  const shown = holds ? newest.filter(e => held.ids.has(e.execution_id)) : newest
  return {
    shown,
    held: newest.length - shown.length,
    hold: (/** @type {PointerEvent} */ e) => { if (e.pointerType === 'mouse') setHeld({ path, ids: new Set(newest.map(n => n.execution_id)) }) },
    release: () => setHeld(null),
  }
}

/**
 * j and k move along the list, Enter opens.
 * @param {Execution[]} shown @param {string} selected @param {(id: string) => void} select
 */
function useSelection(shown, selected, select) {
  const move = (/** @type {number} */ by) => () => {
    const at = shown.findIndex(e => e.execution_id === selected)
    const next = shown[Math.max(0, Math.min(shown.length - 1, at + by))]
    if (!next) return
    select(next.execution_id)
    const link = document.querySelector(`#row-${next.execution_id} a`)
    if (link instanceof HTMLElement) link.focus() // so that a screen reader follows, and Enter opens
  }
  useKeys({ j: ['The next execution', move(1)], k: ['The one before', move(-1)], Enter: ['Open it', e => open(e)] })
  const open = (/** @type {KeyboardEvent} */ e) => {
    if (selected && e.target === document.body) go(`/console/executions/${selected}`)
  }
}

/** @param {{older?: string|null}} props */
function Nothing({ older }) {
  if (!filtered() && !query('cursor')) {
    return html`<${Empty} title="No executions yet">
      <p>Start one here, with <code>longhaul run</code>, or with <code>POST /execute/start</code>.</p>
      <p><a class="button primary" href="/console/new">New run</a></p><//>`
  }
  return html`<${Empty} title="Nothing matches">
    ${older ? html`<p>What came before has not been searched yet.</p><p><button onClick=${() => setQuery({ cursor: older })}>Search further back</button></p>` : html`<p>No execution that is kept fits these filters.</p>`}<//>`
}

/** @param {{older?: string|null, shown: number}} props */
const Paging = ({ older, shown }) => html`
  <nav class="paging" aria-label="Pages">
    <span class="dim">${count(shown, 'execution')}${query('cursor') ? ', older ones' : shown === pageSize ? ', the newest' : ''}</span>
    <button disabled=${!query('cursor')} onClick=${() => setQuery({ cursor: '' })}>Newest</button>
    <button disabled=${!older} onClick=${() => setQuery({ cursor: older ?? '' })}>Older</button>
  </nav>`
