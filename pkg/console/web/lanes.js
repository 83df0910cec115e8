// Where the bars of the timeline lie. Pure: executions in, places out.

/** @typedef {import('./types').Execution} Execution */
/** @typedef {{execution: Execution, from: number, to: number, waited: number, lane: number}} Bar from, to, waited: instants in ms */
/** @typedef {{name: string, bars: Bar[], lanes: number}} Row */

/**
 * One row for those in line, then one for each worker, by name. Bars that overlap
 * lie in lanes of their own.
 * @param {Execution[]} executions
 * @param {number} now
 * @returns {Row[]}
 */
export function rowsOf(executions, now) {
  /** @type {Map<string, Bar[]>} */
  const rows = new Map([['', []]])
  for (const e of executions) {
    const waits = e.status === 'queued'
    const created = Date.parse(e.created_at)
    // What ended without ever running lies where it waited.
    const from = waits || !e.started_at ? created : Date.parse(e.started_at)
    const to = e.completed_at ? Date.parse(e.completed_at) : Math.max(now, from)
    const name = waits || !e.started_at ? '' : e.worker ?? ''
    if (!rows.has(name)) rows.set(name, [])
    rows.get(name)?.push({ execution: e, from, to, waited: created, lane: 0 })
  }
  return [...rows].filter(([name, bars]) => name !== '' || bars.length).sort(([a], [b]) => a.localeCompare(b))
    .map(([name, bars]) => ({ name, bars, lanes: intoLanes(bars) }))
}

/** Gives each bar the first lane that is free. @param {Bar[]} bars */
function intoLanes(bars) {
  /** @type {number[]} */
  const ends = []
  bars.sort((a, b) => a.from - b.from || a.to - b.to)
  for (const bar of bars) {
    let lane = ends.findIndex(end => end <= bar.from)
    if (lane < 0) lane = ends.length
    ends[lane] = bar.to
    bar.lane = lane
  }
  return Math.max(1, ends.length)
}

/**
 * The instants that the timeline spans.
 * @param {Row[]} rows @param {number} now @param {number} span 0: all that there is
 */
export function windowOf(rows, now, span) {
  const bars = rows.flatMap(r => r.bars)
  const live = bars.some(b => !b.execution.completed_at)
  const to = live || span ? now : Math.max(...bars.map(b => b.to))
  const from = span ? to - span : Math.min(...bars.map(b => b.waited))
  return { from: Math.min(from, to - 10_000), to } // ten seconds at least: one short bar is no ruler
}

const steps = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 604800].map(s => s * 1000)

/** Round instants to mark, about a hundred pixels apart. @param {number} from @param {number} to @param {number} width */
export function ticksOf(from, to, width) {
  const step = steps.find(s => (s / (to - from)) * width >= 90) ?? 2_592_000_000
  const zone = new Date(to).getTimezoneOffset() * 60_000 // whole days begin where the reader is
  const ticks = []
  for (let t = Math.ceil((from - zone) / step) * step + zone; t <= to; t += step) ticks.push(t)
  return { ticks, step }
}
