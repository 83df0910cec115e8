// The log as rows: events in, rows out. stdout and stderr each have a line that
// is open and a look that goes on; chunks may end anywhere, inside a character
// or an escape sequence too. A row stands where its first byte came.
//
// What a row holds:
//   i       its place among all rows
//   n       its line number; 0: a note of ours, which is no line
//   text, marks, col   see ansi.js
//   group   the innermost group around it; head: the group that it opens
//   hidden  it is an ::endgroup::
import { PLAIN, feed } from './ansi.js'

/** @typedef {{seq: number, time: number, attempt: number}} From  the event that a row began in */
/** @typedef {{n: number, title: string, parent: Group|null}} Group */
/** @typedef {{i: number, n: number, from: From, err: boolean, text: string, marks: any[]|null, col: number, group: Group|null,
 *   head: Group|null, hidden: boolean, note: string, el: HTMLElement|null, touched: boolean, whole: boolean}} Row */
/** @typedef {{style: import('./ansi.js').Style, rest: string, bytes: Uint8Array|null, row: Row|null}} Stream */
/** @typedef {{after: number, i: number, n: number, group: Group|null, out: Stream, err: Stream}} State */
/** @typedef {{seq: number, type: string, data: any, time?: string}} Event */

/** @returns {Stream} */
const fresh = () => ({ style: PLAIN, rest: '', bytes: null, row: null })

/** @returns {State} */
const beginning = () => ({ after: 0, i: 0, n: 0, group: null, out: fresh(), err: fresh() })

/** @param {Stream} s @returns {Stream} */
const copyOf = s => ({ ...s, row: s.row && { ...s.row, marks: s.row.marks && [...s.row.marks] } })

/** @param {State} s @returns {State} */
const copyOfState = s => ({ ...s, out: copyOf(s.out), err: copyOf(s.err) })

/** Turns events into rows. */
export class Log {
  /**
   * @param {(row: Row, fresh: boolean) => void} sink hears of each row that is new, and of each that has changed
   * @param {State} [state] where to begin, as snapshot gave it
   */
  constructor(sink, state = beginning()) {
    this.sink = sink
    this.state = copyOfState(state)
    this.before = this.state
  }

  /** The state before the newest event: who begins with it and reads what follows `after` makes the same rows again. */
  snapshot() {
    return this.before
  }

  /** @param {Event} event */
  push(event) {
    const s = this.state
    if (event.seq <= s.after) return
    this.before = copyOfState(s)
    if (event.type === 'log') this.chunk(event)
    else this.other(event)
    s.after = event.seq
  }

  /** @param {Event} event */
  chunk({ seq, data }) {
    const err = data.stream === 'stderr'
    const stream = err ? this.state.err : this.state.out
    const from = { seq, time: Date.parse(data.time), attempt: data.attempt }
    feed(stream, decode(stream, data), new Lines(this, stream, from, err))
    if (stream.row) this.sink(stream.row, false)
  }

  /** @param {Event} event */
  other({ seq, type, data, time }) {
    if (type === 'gap' || type === 'end' || type === 'status') this.close()
    const text = notes[type]?.(data)
    if (!text) return
    const row = this.row({ seq, time: Date.parse(time ?? ''), attempt: data.attempt }, false, type)
    row.text = text
    this.sink(row, true)
  }

  /** @param {From} from @param {boolean} err @param {string} [note] @returns {Row} */
  row(from, err, note = '') {
    const s = this.state
    const [n, group] = note ? [0, null] : [++s.n, s.group]
    return { i: s.i++, n, from, err, text: '', marks: null, col: 0, group, head: null, hidden: false, note, el: null, touched: false, whole: false }
  }

  /** Ends lines that no newline ended: an attempt is over, or bytes are missing. */
  close() {
    const { out, err } = this.state
    for (const { row } of [out, err]) if (row) this.sink(row, false)
    Object.assign(this.state, { out: fresh(), err: fresh(), group: null })
  }

  /** Looks for ::group::title and ::endgroup:: in a finished line. @param {Row} row */
  marker(row) {
    if (!row.text.startsWith('::')) return
    const s = this.state
    if (row.text.startsWith('::group::')) {
      row.head = { n: row.n, title: row.text.slice(9).trim() || 'Group', parent: s.group }
      s.group = row.head
    } else if (row.text.trim() === '::endgroup::' && s.group) {
      row.hidden = true
      s.group = s.group.parent
    }
  }
}

/** Where one chunk is written. */
class Lines {
  /** @param {Log} log @param {Stream} stream @param {From} from @param {boolean} err */
  constructor(log, stream, from, err) {
    this.log = log
    this.stream = stream
    this.from = from
    this.err = err
  }

  open() {
    return this.stream.row !== null
  }

  row() {
    if (this.stream.row) return this.stream.row
    const row = (this.stream.row = this.log.row(this.from, this.err))
    this.log.sink(row, true)
    return row
  }

  newline() {
    const row = this.row()
    this.log.marker(row)
    this.log.sink(row, false)
    this.stream.row = null
  }

  home() {
    if (this.stream.row) this.stream.row.col = 0
  }

  back() {
    if (this.stream.row?.col) this.stream.row.col--
  }
}

const utf8 = new TextDecoder()

/**
 * The text of a chunk. One that is no UTF-8 comes as base64, mostly because it ends
 * inside a character: the first bytes of that wait.
 * @param {Stream} stream @param {{text?: string, base64?: string}} data
 */
function decode(stream, data) {
  if (data.base64 === undefined && !stream.bytes) return data.text ?? ''
  const own = data.base64 === undefined ? new TextEncoder().encode(data.text) : Uint8Array.from(atob(data.base64), c => c.charCodeAt(0))
  const bytes = stream.bytes ? new Uint8Array([...stream.bytes, ...own]) : own
  const end = wholeCharacters(bytes)
  stream.bytes = end < bytes.length ? bytes.slice(end) : null
  return utf8.decode(bytes.subarray(0, end))
}

/** How many bytes there are without a character begun at the end. @param {Uint8Array} bytes */
function wholeCharacters(bytes) {
  for (let back = 1; back <= 3 && back <= bytes.length; back++) {
    const b = bytes[bytes.length - back]
    if (b < 0x80) break
    if (b >= 0xc0) return (b >= 0xf0 ? 4 : b >= 0xe0 ? 3 : 2) > back ? bytes.length - back : bytes.length
  }
  return bytes.length
}

const number = (/** @type {any} */ n) => Number(n).toLocaleString('en')

/** The events that stand in the log as a line of ours. @type {Record<string, (d: any) => string>} */
const notes = {
  gap: d => `Events ${number(d.from)} to ${number(d.to)} are gone${d.reason ? ` (${d.reason})` : ''}${d.bytes ? `: ${number(d.bytes)} bytes of output` : ''}`,
  status: d => {
    if (d.status === 'running') return d.attempt > 1 ? `Attempt ${d.attempt} began${d.worker ? ` on ${d.worker}` : ''}` : ''
    return d.after_attempt ? `Attempt ${d.after_attempt} was ended (${d.reason}) and it went back in line${d.message ? `: ${d.message}` : ''}` : ''
  },
  stalled: d => `No output for ${number(d.silent_seconds)} seconds`,
  warning: d => d.message,
  checkpoint: d => `Checkpoint ${d.action}${d.files ? `: ${number(d.files)} files` : ''}${d.message ? `: ${d.message}` : ''}`,
  cold_start: d => `Started cold: ${d.message}`,
}
