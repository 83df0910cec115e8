// The rows of a log in blocks of 200, which the browser lays out only where they are
// seen (content-visibility). A block gets its elements when it comes near, or in the
// pauses, newest first. Beyond the cap the oldest are let go, and can be read again
// from the event in which they begin.
import { Log } from './log.js'

/** @typedef {import('./log.js').Row} Row */
/** @typedef {import('./logview.js').LogView} LogView */
/** @typedef {{k: number, first: number, from: import('./log.js').State, rows: Row[]|null, el: HTMLElement|null, filled: boolean, near: boolean, times: string}} Block
 *   first: its first line; from: the state before the event in which it begins */

export const SIZE = 200
const again = 50 // blocks that one press of a button reads again

/**
 * A state to be kept: its open rows must not keep elements, nor the chunks that
 * their text was cut from, which a part of a string does.
 * @param {import('./log.js').State} state @returns {import('./log.js').State}
 */
function slim({ out, err, ...rest }) {
  const own = (/** @type {import('./log.js').Stream} */ s) => ({ ...s, row: s.row && { ...s.row, el: null, text: JSON.parse(JSON.stringify(s.row.text)) } })
  return { ...rest, out: own(out), err: own(err) }
}

export class Blocks {
  /** @param {LogView} view @param {number} cap rows that are kept */
  constructor(view, cap) {
    this.view = view
    this.cap = Math.ceil(cap / SIZE)
    this.all = /** @type {Block[]} */ ([])
    this.kept = 0 // blocks that have their rows
    this.oldest = 0 // none before it is kept
    this.empty = /** @type {Block[]} */ ([]) // without elements, newest last
    this.near = /** @type {Set<Block>} */ (new Set())
    this.holesStale = this.filling = false
    this.byElement = /** @type {WeakMap<Element, Block>} */ (new WeakMap())
    this.observer = new IntersectionObserver(entries => this.seen(entries), { root: view.list, rootMargin: '1000px 0px' })
  }

  close() {
    this.observer.disconnect()
    this.empty = []
  }

  /** @param {number} i the place of a row */
  of(i) {
    return this.all[Math.floor(i / SIZE)]
  }

  /** @param {number} i @returns {Row|undefined} */
  row(i) {
    return this.of(i)?.rows?.[i % SIZE]
  }

  /** Takes a new row. @param {Row} row @param {import('./log.js').State} from */
  add(row, from) {
    let block = this.of(row.i)
    if (!block) {
      block = { k: this.all.length, first: row.n || this.view.lines + 1, from: slim(from), rows: [], el: null, filled: false, near: false, times: '' }
      this.all.push(block)
      this.kept++
      // Who reads further up keeps what is there for longer.
      const most = this.cap * (this.view.follow ? 1 : 1.5)
      for (; this.kept > most && this.oldest < block.k; this.oldest++) this.release(this.all[this.oldest])
    }
    block.rows?.push(row)
  }

  /** Gives a block its place on the page. @param {Block} block */
  place(block) {
    const el = (block.el = document.createElement('div'))
    el.className = 'block'
    this.byElement.set(el, block)
    const next = this.all.slice(block.k + 1).find(b => b.el)
    this.view.list.insertBefore(el, next?.el ?? null)
    this.observer.observe(el)
    this.empty.push(block)
  }

  /** @param {Block} block */
  fill(block) {
    if (block.filled || !block.el) return
    block.filled = true
    block.el.append(...(block.rows ?? []).map(row => this.view.draw(row)))
    this.size(block)
  }

  /** Fills what nobody has come near to yet. */
  fillInPauses() {
    if (this.filling || !this.empty.length) return
    this.filling = true
    const wait = window.requestIdleCallback ?? ((/** @type {any} */ f) => setTimeout(() => f({ timeRemaining: () => 8 }), 30))
    wait(deadline => {
      this.filling = false
      do {
        const block = this.empty.pop()
        if (block?.el) this.fill(block)
      } while (this.empty.length && deadline.timeRemaining() > 4)
      this.fillInPauses()
    }, { timeout: 500 })
  }

  /** Says how high a block is where it is not laid out. @param {Block} block */
  size(block) {
    if (!block.el) return
    const shown = (block.rows ?? []).filter(row => this.view.visible(row)).length
    const pixels = `${shown * this.view.height}px`
    block.el.style.height = block.filled ? '' : pixels
    block.el.style.containIntrinsicSize = `none ${this.view.wrap ? 'auto ' : ''}${pixels}` // auto: as it last was, since wrapped rows differ
  }

  /** @param {Block} block */
  release(block) {
    if (!block.rows) return
    this.view.search.forget(block)
    if (block.el) this.observer.unobserve(block.el)
    block.el?.remove()
    this.near.delete(block)
    Object.assign(block, { rows: null, el: null, filled: false, near: false, times: '' })
    this.kept--
    this.holesStale = true
  }

  /** Puts one note in the place of each run of blocks that were let go. */
  holes() {
    this.holesStale = false
    for (const el of this.view.list.querySelectorAll(':scope > .hole')) el.remove()
    for (let k = 0; k < this.all.length; k++) {
      const from = k
      while (k < this.all.length && !this.all[k].rows) k++
      if (k > from) this.hole(from, k)
    }
  }

  /** @param {number} from @param {number} to the first that is kept */
  hole(from, to) {
    const next = this.all[to]
    const lines = (next?.first ?? this.view.lines + 1) - this.all[from].first
    const first = Math.max(from, to - again)
    const note = document.createElement('div')
    const button = document.createElement('button')
    note.className = 'note hole'
    note.textContent = `${lines.toLocaleString('en')} lines before this one were let go to save memory. `
    button.textContent = first > from ? `Load the last ${(next.first - this.all[first].first).toLocaleString('en')} again` : 'Load them again'
    button.onclick = () => {
      button.disabled = true
      this.restore(first, to - 1).catch(err => { button.textContent = err.message })
    }
    note.append(button)
    this.view.list.insertBefore(note, next?.el ?? null)
  }

  /** Reads blocks again. @param {number} from @param {number} to */
  async restore(from, to) {
    const { view } = this
    view.setFollow(false)
    const rows = await this.readAgain(from, to)
    if (view.gone) return
    const anchor = this.all.slice(to + 1).find(b => b.el)?.el
    const before = anchor?.getBoundingClientRect().top ?? 0
    for (const [k, list] of rows) {
      const block = this.all[k]
      if (block.rows) continue
      block.rows = list
      this.kept++
      this.oldest = Math.min(this.oldest, k)
      this.place(block)
      this.size(block)
    }
    this.holes()
    if (anchor) view.list.scrollTop += anchor.getBoundingClientRect().top - before
    view.search.again()
    this.fillInPauses()
    view.changed()
  }

  /** @param {number} from @param {number} to @returns {Promise<Map<number, Row[]>>} */
  async readAgain(from, to) {
    const found = /** @type {Map<number, Row[]>} */ (new Map())
    let newest = 0
    const log = new Log((row, fresh) => {
      newest = Math.max(newest, row.i)
      const k = Math.floor(row.i / SIZE)
      if (!fresh || k < from || k > to) return
      const rows = found.get(k) ?? []
      if (rows.push(row) === 1) found.set(k, rows)
    }, this.all[from].from)
    for (let more = true; more && newest < (to + 1) * SIZE; ) {
      const page = await this.view.read(log.state.after)
      page.events.forEach(e => log.push(e))
      more = page.more && page.events.length > 0
    }
    return found
  }

  /** @param {IntersectionObserverEntry[]} entries */
  seen(entries) {
    for (const { target, isIntersecting } of entries) {
      const block = this.byElement.get(target)
      if (!block?.el) continue
      block.near = isIntersecting
      this.near[isIntersecting ? 'add' : 'delete'](block)
      if (isIntersecting) this.attend(block)
    }
    this.view.search.paint()
  }

  /** Does for a block that comes near what was put off. @param {Block} block */
  attend(block) {
    this.fill(block)
    if (block.times === this.view.times) return
    block.times = this.view.times
    for (const row of block.rows ?? []) this.view.stamp(row)
  }
}
