// Search in the rows that are kept. Hits are marked without touching the rows
// (the CSS Custom Highlight API), so that a log of 100,000 lines stays as it is.

/** @typedef {import('./log.js').Row} Row */
/** @typedef {import('./logview.js').LogView} LogView */

const context = 3 // rows around a hit when only hits are shown
const slice = 10 // ms of looking before the page may breathe

const escaped = (/** @type {string} */ text) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')

export class Search {
  /** @param {LogView} view */
  constructor(view) {
    this.view = view
    this.query = this.error = ''
    this.regex = this.only = this.scanning = false
    this.matcher = /** @type {RegExp|null} */ (null)
    this.turn = 0 // of asking: an older one gives up
    this.hits = /** @type {number[]} */ ([]) // places of rows, in order
    this.set = /** @type {Set<number>} */ (new Set()) // the same
    this.around = /** @type {Set<number>} */ (new Set()) // rows that are shown with them
    this.at = -1 // of hits
    this.scanned = 0 // blocks that were looked at
  }

  close() {
    this.turn++
    this.highlight([], [])
  }

  /**
   * Begins a search. Without a capital letter in it, case does not matter.
   * @param {string} query @param {{regex: boolean, only: boolean}} how
   */
  async ask(query, { regex, only }) {
    const filtered = this.only
    Object.assign(this, { query, regex, error: '', matcher: null, hits: [], set: new Set(), around: new Set(), at: -1, scanned: 0 })
    try {
      if (query) this.matcher = new RegExp(regex ? query : escaped(query), /\p{Lu}/u.test(query) ? 'gu' : 'giu')
    } catch (err) {
      this.error = /** @type {Error} */ (err).message.replace(/^Invalid regular expression: /, '')
    }
    this.only = only && !!this.matcher
    if (!await this.scan()) return
    if (filtered || this.only) this.view.refresh()
    this.paint()
    this.view.changed()
  }

  again() {
    if (this.matcher) this.ask(this.query, this)
  }

  /** Looks at all rows. false: another search has begun. */
  async scan() {
    const turn = ++this.turn
    const { all } = this.view.blocks
    let until = performance.now() + slice
    this.scanning = true
    while (this.matcher && this.scanned < all.length) {
      for (const row of all[this.scanned++].rows ?? []) if (this.test(row)) this.add(row.i)
      if (performance.now() < until) continue
      await new Promise(done => setTimeout(done))
      if (this.turn !== turn) return false
      until = performance.now() + slice
      this.view.changed()
    }
    this.scanning = false
    return true
  }

  /** @param {Row} row */
  test(row) {
    if (!row.n || row.hidden || !this.matcher) return false
    this.matcher.lastIndex = 0
    return this.matcher.test(row.text)
  }

  /** @param {number} i */
  add(i) {
    if (this.set.has(i)) return
    this.set.add(i)
    let at = this.hits.length
    while (at && this.hits[at - 1] > i) at--
    this.hits.splice(at, 0, i)
    if (this.at >= at) this.at++
    if (this.only) for (let j = i - context; j <= i + context; j++) this.around.add(j)
  }

  /** Looks at a row that is new or has changed. @param {Row} row */
  look(row) {
    const { blocks } = this.view
    if (!this.matcher) return
    if (this.scanning && blocks.of(row.i).k >= this.scanned) return // it will come to it
    if (!this.test(row)) return
    this.add(row.i)
    for (let i = row.i - context; this.only && i < row.i; i++) {
      const before = blocks.row(i)
      if (before?.el) before.el.hidden = !this.view.visible(before)
    }
  }

  /** @param {import('./logblocks.js').Block} block */
  forget(block) {
    if (!this.set.size) return
    const before = this.hits.length
    this.hits = this.hits.filter(i => this.view.blocks.of(i) !== block || !this.set.delete(i))
    this.at = Math.max(-1, this.at - (before - this.hits.length))
  }

  /** @param {number} i */
  shows(i) {
    return this.set.has(i) || this.around.has(i)
  }

  /** Goes to the next hit (1) or the one before (-1), round the ends. @param {number} by */
  step(by) {
    const { view, hits } = this
    if (!hits.length) return
    if (this.at >= 0) this.at = (this.at + by + hits.length) % hits.length
    else if (view.follow) this.at = hits.length - 1 // who is at the end begins there
    else this.at = Math.max(0, hits.findIndex(i => i >= this.top()))
    const row = view.blocks.row(hits[this.at])
    if (row) view.reveal(row)
    this.paint()
    view.changed()
  }

  /** The place of the first row near to what is seen. */
  top() {
    return Math.min(...[...this.view.blocks.near].map(b => b.rows?.[0]?.i ?? Infinity))
  }

  /** Marks the hits in blocks that are near. */
  paint() {
    const all = /** @type {Range[]} */ ([])
    const now = /** @type {Range[]} */ ([])
    for (const block of this.matcher ? this.view.blocks.near : []) {
      for (const row of block.rows ?? []) {
        if (this.set.has(row.i) && row.el) (row.i === this.hits[this.at] ? now : all).push(...this.ranges(row, row.el))
      }
    }
    this.highlight(all, now)
  }

  /** @param {Range[]} all @param {Range[]} now */
  highlight(all, now) {
    if (!globalThis.Highlight) return // an older browser: n and p lead there all the same
    CSS.highlights.set('hit', new Highlight(...all))
    CSS.highlights.set('hit-now', new Highlight(...now))
  }

  /** @param {Row} row @param {HTMLElement} el */
  ranges(row, el) {
    const nodes = /** @type {[number, Text][]} */ ([])
    const walk = document.createTreeWalker(el, NodeFilter.SHOW_TEXT)
    for (let at = 0; walk.nextNode(); at += nodes[nodes.length - 1][1].length) nodes.push([at, /** @type {Text} */ (walk.currentNode)])
    const found = /** @type {Range[]} */ ([])
    if (!nodes.length || !this.matcher) return found
    const place = (/** @type {number} */ i) => {
      const [at, node] = nodes.findLast(([from]) => from <= i) ?? nodes[0]
      return /** @type {[Text, number]} */ ([node, Math.min(i - at, node.length)])
    }
    const before = row.head ? row.text.length - row.head.title.length : 0 // ::group:: is not shown
    for (const m of row.text.matchAll(this.matcher)) {
      if (!m[0] || found.length === 50) continue
      const range = new Range()
      range.setStart(...place(Math.max(0, m.index - before)))
      range.setEnd(...place(Math.max(0, m.index + m[0].length - before)))
      found.push(range)
    }
    return found
  }
}
