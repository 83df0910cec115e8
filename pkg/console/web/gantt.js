// The timeline: a row for each worker, a bar for each execution. It grows while it is
// looked at. The table below it says the same in words.
import { clock, commandLine, elapsed } from './format.js'
import { rowsOf, ticksOf, windowOf } from './lanes.js'
import { html, useLayoutEffect, useMemo, useRef, useState } from './lib.js'
import { go, query, setQuery } from './router.js'
import { now } from './ui.js'

/** @typedef {import('./types').Execution} Execution */

const lane = 18
const gutter = 108
const axis = 22
const spans = { '': ['all', 0], '10m': ['10 min', 600_000], '1h': ['1 h', 3_600_000], '6h': ['6 h', 21_600_000], '24h': ['24 h', 86_400_000] }

/** @param {{executions: Execution[], selected: string, onSelect: (id: string) => void}} props */
export function Gantt({ executions, selected, onSelect }) {
  const box = useRef(/** @type {HTMLElement|null} */ (null))
  const [width, setWidth] = useState(0)
  useLayoutEffect(() => {
    const el = /** @type {HTMLElement} */ (box.current)
    const observer = new ResizeObserver(() => setWidth(el.clientWidth))
    observer.observe(el)
    return () => observer.disconnect()
  }, [])
  const span = /** @type {number} */ (spans[/** @type {'1h'} */ (query('span'))]?.[1] ?? 0)
  const rows = useMemo(() => rowsOf(executions, now.value), [executions, now.value])
  const { from, to } = windowOf(rows, now.value, span)
  return html`
    <section class="gantt card" aria-label="Timeline">
      <div class="gantt-head"><h2>Timeline</h2>
        <div class="segments" role="group" aria-label="Span">${Object.entries(spans).map(([key, [label]]) => html`
          <button key=${key} aria-pressed=${query('span') === key} onClick=${() => setQuery({ span: key }, { replace: true })}>${label}</button>`)}</div>
      </div>
      <div class="gantt-box" ref=${box} tabindex="-1">${width > 0 && rows.length > 0 && html`<${Chart} ...${{ rows, from, to, width, selected, onSelect }} />`}</div>
    </section>`
}

/** @param {{rows: import('./lanes.js').Row[], from: number, to: number, width: number, selected: string, onSelect: (id: string) => void}} props */
function Chart({ rows, from, to, width, selected, onSelect }) {
  const plot = width - gutter - 10
  const x = (/** @type {number} */ t) => gutter + Math.max(0, Math.min(1, (t - from) / (to - from))) * plot
  const { ticks, step } = ticksOf(from, to, plot)
  const shown = rows.map(r => ({ ...r, bars: r.bars.filter(b => b.to >= from) }))
  const bars = shown.flatMap(r => r.bars)
  const entry = bars.some(b => b.execution.execution_id === selected) ? selected : bars.at(-1)?.execution.execution_id
  const move = (/** @type {KeyboardEvent} */ e) => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[e.key]
    if (!step) return
    e.preventDefault()
    const at = bars.findIndex(b => b.execution.execution_id === entry)
    const next = bars[Math.max(0, Math.min(bars.length - 1, at + step))]?.execution.execution_id
    onSelect(next)
    requestAnimationFrame(() => /** @type {any} */ (document.getElementById('bar-' + next))?.focus())
  }
  let y = 0
  return html`
    <svg role="group" aria-label="Bars of the timeline; the table below has the same in words" width=${width} height=${rows.reduce((h, r) => h + r.lanes * lane + 8, axis)} onKeyDown=${move}>
      ${ticks.map(t => html`<g key=${t} class="tick"><line x1=${x(t)} x2=${x(t)} y1="16" y2="100%" />${x(t) < width - 28 && html`<text x=${x(t)} y="11">${tickText(t, step)}</text>`}</g>`)}
      ${shown.map((r, i) => {
        const top = axis + y
        y += r.lanes * lane + 8
        return html`<g key=${r.name} class="row">
          ${i > 0 && html`<line x1="0" x2="100%" y1=${top - 4} y2=${top - 4} />`}
          <text class="who" x="0" y=${top + 12}>${shorten(r.name) || 'in line'}<title>${r.name || 'those that wait for a worker'}</title></text>
          ${r.bars.filter(b => b.waited < b.from).map(b => html`<${Waited} key=${'w' + b.execution.execution_id} bar=${b} y=${top + b.lane * lane + 8} x=${x} />`)}
          ${r.bars.map(b => html`<${Bar} key=${b.execution.execution_id} bar=${b} top=${top + b.lane * lane} x=${x} entry=${entry} selected=${selected} />`)}
        </g>`
      })}
    </svg>`
}

/** The time in line, as a thread before the bar. @param {{bar: import('./lanes.js').Bar, y: number, x: (t: number) => number}} props */
const Waited = ({ bar, y, x }) => html`<line class="waited ${bar.execution.status}" x1=${x(bar.waited)} x2=${x(bar.from)} y1=${y} y2=${y} />`

/** @param {{bar: import('./lanes.js').Bar, top: number, x: (t: number) => number, entry?: string, selected: string}} props */
function Bar({ bar, top, x, entry, selected }) {
  const e = bar.execution
  const wide = Math.max(6, x(bar.to) - x(bar.from)) // the shortest can still be hit
  const left = Math.min(x(bar.from), x(Infinity) - 6)
  const href = `/console/executions/${e.execution_id}`
  const text = `${e.status}: ${commandLine(e).slice(0, 80)}, ${elapsed(bar.to - bar.from)}`
  return html`
    <a id=${'bar-' + e.execution_id} class="bar ${e.status} ${e.execution_id === selected ? 'selected' : ''}" href=${href}
      tabindex=${e.execution_id === entry ? 0 : -1} onClick=${(/** @type {MouseEvent} */ ev) => { if (!ev.ctrlKey && !ev.metaKey) { ev.preventDefault(); go(href) } }}>
      <title>${text}</title>
      <rect x=${left} y=${top + 1} width=${wide} height="14" rx="3" />
      ${wide > 60 && html`<text aria-hidden="true" x=${left + 6} y=${top + 12}>${commandLine(e).slice(0, Math.floor((wide - 10) / 7))}</text>`}
    </a>`
}

/** @param {number} t @param {number} step */
const tickText = (t, step) => (step >= 86_400_000 ? new Date(t).toLocaleDateString(undefined, { day: 'numeric', month: 'short' }) : clock(t).slice(0, step < 60_000 ? 8 : 5))

/** @param {string} name */
const shorten = name => (name.length > 14 ? name.slice(0, 5) + '…' + name.slice(-8) : name)
