// The log as a page shows it: plain rows of text, so that selecting, copying, Ctrl-F
// and screen readers work as anywhere, at 100,000 lines too.
import { Log } from './log.js'
import { Blocks } from './logblocks.js'
import { columns, draw, stamp } from './logrow.js'
import { Search } from './logsearch.js'

/** @typedef {import('./log.js').Row} Row */
/** @typedef {{events: import('./log.js').Event[], more: boolean}} PageOfEvents */

const cap = 200_000 // rows on the page: about 150 MB

export class LogView {
  /**
   * @param {HTMLElement} list the element that scrolls
   * @param {object} options
   * @param {(after: number) => Promise<PageOfEvents>} options.read what follows an event
   * @param {() => void} [options.changed] called after each frame that drew something
   * @param {() => void} [options.opened] called when a row was brought into sight that a group or the choice of a stream hid
   * @param {number} [options.keep] rows on the page
   */
  constructor(list, { read, changed = () => {}, opened = () => {}, keep = cap }) {
    this.list = list
    this.read = read
    this.changed = changed
    this.opened = opened
    this.lines = this.errors = this.firstError = 0
    this.missed = 0 // new lines since it follows no more
    this.follow = true
    this.wrap = this.quiet = this.gone = false
    this.times = this.stream = ''
    this.began = this.widest = 0
    this.top = 0 // where the browser last told that the list stands
    this.put = -1 // where we scrolled to ourselves, until the browser tells of it
    this.closed = /** @type {Set<number>} */ (new Set()) // first lines of groups that are closed
    this.marked = /** @type {[number, number]|null} */ (null)
    this.pending = /** @type {[number, number]|null} */ (null) // lines to go to that have not come yet
    this.touched = /** @type {Row[]} */ ([]) // new or changed since the last frame
    this.due = /** @type {{frame: number, timer: number}|null} */ (null)
    this.height = this.measure()
    this.search = new Search(this)
    this.blocks = new Blocks(this, keep)
    this.log = new Log((row, fresh) => this.take(row, fresh))
    this.off = this.listen()
  }

  close() {
    this.gone = true
    this.off()
    this.blocks.close()
    this.search.close()
  }

  /** @param {import('./log.js').Event} event */
  push(event) {
    this.log.push(event)
  }

  /** The height of a row, as the style sheet has it. */
  measure() {
    const probe = document.createElement('div')
    probe.className = 'l'
    probe.textContent = 'x'
    this.list.append(probe)
    const { height } = probe.getBoundingClientRect()
    probe.remove()
    return height || 20
  }

  listen() {
    const stop = new AbortController()
    this.list.addEventListener('scroll', () => {
      const up = this.list.scrollTop < this.stood - 1
      const top = this.top = this.list.scrollTop
      this.list.classList.toggle('aside', this.list.scrollLeft > 0) // numbers stay in sight
      const atEnd = this.list.scrollHeight - top - this.list.clientHeight < this.height * 2
      const ours = top === this.put // told a frame late: the reader may have stopped following since
      this.put = -1
      if (!ours && atEnd !== this.follow && up !== atEnd) this.setFollow(atEnd)
    }, { passive: true, signal: stop.signal })
    document.addEventListener('visibilitychange', () => this.schedule(), { signal: stop.signal })
    const resized = new ResizeObserver(() => this.follow && this.toEnd())
    resized.observe(this.list)
    return () => {
      stop.abort()
      resized.disconnect()
    }
  }

  /** @param {Row} row @param {boolean} fresh */
  take(row, fresh) {
    if (fresh) {
      this.blocks.add(row, this.log.snapshot())
      if (row.n) this.lines = row.n
      if (row.err) this.errors++
      if (row.err) this.firstError ||= row.n
      if (!this.follow) this.missed++
    }
    if (row.touched) return
    row.touched = true
    this.touched.push(row)
    this.schedule()
  }

  schedule() {
    if (this.due) return
    // A page that is not seen gets no frames, and must not gather rows for ever.
    const frame = document.hidden ? 0 : requestAnimationFrame(() => this.flush())
    this.due = { frame, timer: setTimeout(() => this.flush(), document.hidden ? 300 : 1000) }
  }

  /** Draws what has come since the last frame. */
  flush() {
    if (this.due) cancelAnimationFrame(this.due.frame)
    clearTimeout(this.due?.timer)
    this.due = null
    if (this.gone) return
    const rows = this.touched
    this.touched = []
    this.enter(rows)
    this.widen(rows)
    if (this.blocks.holesStale) this.blocks.holes()
    if (this.pending && this.lines >= this.pending[0]) this.goto(...this.pending)
    if (this.follow && !document.hidden) this.toEnd()
    if (this.search.matcher) this.search.paint()
    this.changed()
    this.blocks.fillInPauses()
  }

  /** @param {Row[]} rows */
  enter(rows) {
    const changed = new Set()
    for (const row of rows) {
      row.touched = false
      const block = this.blocks.of(row.i)
      if (!block.rows) continue
      changed.add(block)
      this.search.look(row)
      if (!block.filled) continue
      const isNew = !row.el
      const el = this.draw(row)
      if (isNew) block.el?.append(el)
      if (block.near && this.times) this.stamp(row)
    }
    for (const block of changed) {
      if (!block.el) this.blocks.place(block)
      this.blocks.size(block)
    }
    const last = this.blocks.all.at(-1)
    if (last) this.blocks.fill(last)
  }

  /** Makes room for the longest row: blocks that are not laid out cannot. @param {Row[]} rows */
  widen(rows) {
    const most = rows.reduce((most, { text }) => (text.length * 8 > most ? Math.max(most, columns(text)) : most), this.widest)
    if (most > this.widest) this.list.style.setProperty('--widest', `${(this.widest = most)}ch`)
  }

  /** @param {Row} row */
  draw(row) {
    const marked = !!this.marked && row.n >= this.marked[0] && row.n <= this.marked[1]
    return draw(row, { visible: this.visible(row), marked, closed: this.closed.has(row.n), fold: () => this.fold(row.n) })
  }

  /** @param {Row} row */
  stamp(row) {
    stamp(row, this.times, this.began)
  }

  /** @param {Row} row */
  visible(row) {
    if (row.hidden) return false
    if (row.note) return !this.search.only
    if (this.stream && this.stream !== (row.err ? 'stderr' : 'stdout')) return false
    if (this.search.only) return this.search.shows(row.i)
    for (let g = row.group; g; g = g.parent) if (this.closed.has(g.n)) return false
    return true
  }

  /** Applies what is shown to all rows; what the reader looks at stays where it is. */
  refresh() {
    const rest = this.anchor()
    for (const block of this.blocks.all) {
      for (const row of (block.filled && block.rows) || []) if (row.el?.hidden === this.visible(row)) row.el.hidden = !row.el.hidden
      this.blocks.size(block)
    }
    rest()
    this.changed()
  }

  /** Remembers the first row in sight. What it gives puts that there again. */
  anchor() {
    const top = this.list.getBoundingClientRect().top
    const rows = [...this.blocks.near].sort((a, b) => a.k - b.k).flatMap(b => b.rows ?? [])
    const el = this.follow ? null : rows.find(r => r.el && !r.el.hidden && r.el.getBoundingClientRect().bottom > top)?.el
    const at = el?.getBoundingClientRect().top ?? 0
    return () => {
      if (this.follow) this.toEnd()
      else if (el && !el.hidden) this.list.scrollTop += el.getBoundingClientRect().top - at
    }
  }

  /** Where the list stands if the reader has not moved it. */
  get stood() { return this.put < 0 ? this.top : this.put }

  toEnd() {
    const from = this.list.scrollTop
    // Further up, and not because there is less to scroll: the reader went there, and the browser is about to tell.
    if (from < this.stood - 1 && this.stood <= this.list.scrollHeight - this.list.clientHeight) return
    this.list.scrollTop = this.list.scrollHeight
    if (this.list.scrollTop !== from) this.put = this.list.scrollTop
  }

  /** @param {boolean} on */
  setFollow(on) {
    if (this.follow === on) return
    this.follow = on
    this.missed = 0
    if (on) this.toEnd()
    this.changed()
  }

  /** @param {string} stream stdout, stderr or both */
  setStream(stream) {
    if (stream === this.stream) return
    this.stream = stream
    this.refresh()
  }

  /** @param {boolean} on */
  setWrap(on) {
    if (on === this.wrap) return
    const rest = this.anchor()
    this.wrap = on
    this.list.classList.toggle('wrap', on)
    for (const block of this.blocks.all) this.blocks.size(block)
    rest()
  }

  /** @param {string} mode abs, rel or none @param {number} began */
  setTimes(mode, began) {
    this.times = mode
    this.began = began
    this.list.classList.toggle('times', !!mode)
    for (const block of this.blocks.near) this.blocks.attend(block)
  }

  /** @param {number} n */
  fold(n) {
    const next = new Set(this.closed)
    if (!next.delete(n)) next.add(n)
    this.setClosed([...next])
  }

  /** Closes the groups that begin in these lines, and opens all others. @param {number[]} list */
  setClosed(list) {
    const old = this.closed
    this.closed = new Set(list)
    const changed = [...new Set([...old, ...list])].filter(n => old.has(n) !== this.closed.has(n))
    for (const n of changed) {
      const row = this.find(n)
      if (row?.el) this.draw(row)
    }
    if (changed.length) this.refresh()
  }

  /** The row of a line, if it is kept. @param {number} n @returns {Row|undefined} */
  find(n) {
    const k = this.blocks.all.findLastIndex(b => b.first <= n)
    return this.blocks.all[k]?.rows?.find(r => r.n === n)
  }

  /** The newest rows of stderr that hold something. @param {number} most */
  lastErrors(most) {
    const found = /** @type {Row[]} */ ([])
    for (let i = this.log.state.i; i-- && found.length < most; ) {
      const row = this.blocks.row(i)
      if (!row) break
      if (row.err && row.text.trim()) found.unshift(row)
    }
    return found
  }

  /** Shows lines as chosen; 0: none. @param {number} first @param {number} [last] */
  mark(first, last = first) {
    this.list.querySelectorAll('.at').forEach(el => el.classList.remove('at'))
    this.marked = /** @type {[number, number]|null} */ (first ? [Math.min(first, last), Math.max(first, last)] : null)
    if (!this.marked) return
    for (let n = this.marked[0]; n <= Math.min(this.marked[1], this.lines); n++) this.find(n)?.el?.classList.add('at')
  }

  /** Marks lines and brings them into sight, now or when they have come. @param {number} first @param {number} [last] */
  async goto(first, last = first) {
    const quiet = this.quiet // it was clicked on, so it is in sight
    this.quiet = false
    this.setFollow(false)
    this.pending = /** @type {[number, number]|null} */ (first > this.lines ? [first, last] : null)
    this.mark(first, last)
    if (this.pending || quiet) return
    const k = this.blocks.all.findLastIndex(b => b.first <= first)
    if (!this.blocks.all[k].rows) await this.blocks.restore(k, k)
    const row = this.find(first)
    if (row) this.reveal(row)
    this.list.scrollIntoView({ block: 'nearest' })
  }

  /** Brings a row into sight, whatever hides it. @param {Row} row */
  reveal(row) {
    this.setFollow(false)
    if (!this.visible(row)) {
      for (let g = row.group; g; g = g.parent) this.closed.delete(g.n)
      if (this.stream) this.stream = ''
      this.refresh()
      this.opened()
    }
    const block = this.blocks.of(row.i)
    if (!block.el) this.flush()
    this.blocks.attend(block)
    const show = () => row.el?.isConnected && this.center(row.el)
    show()
    requestAnimationFrame(show) // the sizes of blocks above were guesses
  }

  /** Scrolls the log, and not the page as scrollIntoView would. @param {HTMLElement} el */
  center(el) {
    const [at, all] = [el.getBoundingClientRect(), this.list.getBoundingClientRect()]
    this.list.scrollTop += (at.top + at.bottom - all.top - all.bottom) / 2
  }

  /** The line whose number is at a point; 0: none. @param {MouseEvent} e */
  lineAt({ target, clientX }) {
    if (!(target instanceof HTMLElement) || !target.matches('.l')) return 0
    const gutter = parseFloat(getComputedStyle(target, '::before').width)
    return clientX - this.list.getBoundingClientRect().left < gutter ? Number(target.dataset.n) : 0
  }
}
