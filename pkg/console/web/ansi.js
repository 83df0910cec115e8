// What a program writes to a terminal, as text with styles: SGR colours and
// looks, \r and backspace that write over, erase-to-end. Every other escape
// sequence is taken out. Nothing here makes HTML of text: see paint.

const BOLD = 1,
  DIM = 2,
  ITALIC = 4,
  UNDERLINE = 8,
  INVERSE = 16,
  STRIKE = 32
/** @type {Record<number, number>} */
const LOOKS = { 1: BOLD, 2: DIM, 3: ITALIC, 4: UNDERLINE, 7: INVERSE, 9: STRIKE }
/** @type {Record<number, number>} */
const ENDS = { 22: BOLD | DIM, 23: ITALIC, 24: UNDERLINE, 27: INVERSE, 29: STRIKE }
/** @type {[number, string][]} */
const WORDS = [
  [BOLD, 'sb'],
  [DIM, 'sd'],
  [ITALIC, 'si'],
  [UNDERLINE, 'su'],
  [STRIKE, 'ss']
]

/** @typedef {number|string|null} Colour  0 to 15 for the sixteen of the theme, or '#rrggbb' */
/** There is one per look, so lines share them. next: what SGR parameters lead to from here.
 * @typedef {{fg: Colour, bg: Colour, looks: number, next: Map<string, Style>, classes?: string, vars?: [string, string][]}} Style */
/** What is written to: marks are [start, style, start, style …], null where all is plain; col is where the next character goes.
 * @typedef {{text: string, marks: any[]|null, col: number}} Written */
/** The row that is open, opened now if need be; and what moves in it.
 * @typedef {{open: () => boolean, row: () => Written, newline: () => void, home: () => void, back: () => void}} Target */

/** @type {Map<string, Style>} */
let known = new Map()
export const PLAIN = style(null, null, 0)

/** @param {Colour} fg @param {Colour} bg @param {number} looks @returns {Style} */
function style(fg, bg, looks) {
  const key = `${fg}|${bg}|${looks}`
  if (known.size > 5000) known = new Map() // a gradient in true colour; equal looks need not be the same object
  let found = known.get(key)
  if (!found) known.set(key, (found = { fg, bg, looks, next: new Map() }))
  return found
}

const hex = (/** @type {number} */ n) => n.toString(16).padStart(2, '0')
/** @param {number} r @param {number} g @param {number} b */
const rgb = (r, g, b) => '#' + hex(r & 255) + hex(g & 255) + hex(b & 255)
const STEPS = [0, 95, 135, 175, 215, 255] // of xterm's 6x6x6 cube

/** @param {number} n @returns {Colour} */
function indexed(n) {
  if (n < 16) return n
  if (n >= 232) return rgb(n * 10 - 2312, n * 10 - 2312, n * 10 - 2312)
  return rgb(STEPS[((n - 16) / 36) | 0], STEPS[(((n - 16) / 6) | 0) % 6], STEPS[(n - 16) % 6])
}

/**
 * Reads 38;5;n and 38;2;r;g;b, and the same with colons. Gives the colour, and how
 * many parameters it took.
 * @param {string[]} list @param {number} at @returns {[Colour, number]}
 */
function extended(list, at) {
  const sub = list[at].split(':')
  const own = sub.length > 1 // 38:2::r:g:b has a colour space between
  const p = own ? sub.slice(1) : list.slice(at + 1, at + 5)
  const taken = own ? 0 : p[0] === '5' ? 2 : 4
  if (p[0] === '5') return [indexed(+p[1] & 255), taken]
  const [r, g, b] = (own ? p.slice(-3) : p.slice(1)).map(Number)
  return [p[0] === '2' ? rgb(r, g, b) : null, taken]
}

/** @param {Style} from @param {string} params @returns {Style} */
function sgr(from, params) {
  let { fg, bg, looks } = from
  const list = params.split(';')
  for (let i = 0; i < list.length; i++) {
    const n = parseInt(list[i] || '0', 10)
    if (n === 0) ((fg = bg = null), (looks = 0))
    else if (LOOKS[n]) looks = list[i] === '4:0' ? looks & ~UNDERLINE : looks | LOOKS[n]
    else if (ENDS[n]) looks &= ~ENDS[n]
    else if (n === 39) fg = null
    else if (n === 49) bg = null
    else if (n === 38 || n === 48) {
      const [colour, taken] = extended(list, i)
      if (n === 38) fg = colour
      else bg = colour
      i += taken
    } else if (n >= 30 && n <= 37) fg = n - 30
    else if (n >= 40 && n <= 47) bg = n - 40
    else if (n >= 90 && n <= 97) fg = n - 82
    else if (n >= 100 && n <= 107) bg = n - 92
  }
  return style(fg, bg, looks)
}

/** @param {Written} row @param {Style} look @param {string} s */
function write(row, look, s) {
  const { text, col } = row
  if (col < text.length && s.length < text.length - col) return overwrite(row, look, s)
  if (col < text.length) erase(row)
  const marks = row.marks
  if (marks ? marks[marks.length - 1] !== look : look !== PLAIN) {
    if (marks) marks.push(col, look)
    else row.marks = col && look !== PLAIN ? [0, PLAIN, col, look] : [col, look]
  }
  row.text += s
  row.col = row.text.length
}

/** The rare case of something shorter over something longer. @param {Written} row @param {Style} look @param {string} s */
function overwrite(row, look, s) {
  const looks = /** @type {Style[]} */ ([])
  const old = row.marks ?? [0, PLAIN]
  for (let m = 0; m < old.length; m += 2) for (let i = old[m]; i < (old[m + 2] ?? row.text.length); i++) looks[i] = old[m + 1]
  looks.fill(look, row.col, row.col + s.length)
  const marks = /** @type {any[]} */ ([])
  looks.forEach((l, i) => { if (l !== looks[i - 1]) marks.push(i, l) })
  row.marks = marks.length === 2 && look === PLAIN ? null : marks
  row.text = row.text.slice(0, row.col) + s + row.text.slice(row.col + s.length)
  row.col += s.length
}

/** Takes away what stands at and behind the column. @param {Written} row */
function erase(row) {
  row.text = row.text.slice(0, row.col)
  while (row.marks?.length && row.marks[row.marks.length - 2] >= row.col) row.marks.length -= 2
  if (!row.marks?.length) row.marks = null
}

const CONTROL = /[\x00-\x08\x0a-\x1f\x7f-\x9f]/g
const ESCAPE = /\x1b(?:\[([0-?]*)[ -/]*([@-~])|\][^\x07\x1b]*(?:\x07|\x1b\\)|[PX^_][^\x1b]*\x1b\\|[ -/]*[0-OQ-WYZ`-~])/y
const UNFINISHED = /\x1b(?:\[[0-?]*[ -/]*|[\]PX^_][^\x07\x1b]*\x1b?|[ -/]*)?$/y
const LONGEST = 4096 // an escape sequence that is longer is none

/**
 * Writes text of one stream. pen goes from chunk to chunk.
 * @param {{style: Style, rest: string}} pen @param {string} text @param {Target} to
 */
export function feed(pen, text, to) {
  text = pen.rest + text
  pen.rest = ''
  for (let at = 0; at < text.length;) {
    CONTROL.lastIndex = at
    const found = CONTROL.exec(text)
    const end = found ? found.index : text.length
    if (end > at) write(to.row(), pen.style, text.slice(at, end))
    if (!found) return
    at = end + 1
    switch (found[0]) {
      case '\n':
        to.newline()
        break
      case '\r':
        to.home()
        break
      case '\b':
        to.back()
        break
      case '\x1b': {
        at = escape(pen, text, end, to)
        if (at < 0) {
          pen.rest = text.slice(end)
          return
        }
      }
    }
  }
}

/** Reads the sequence at i and gives where it ends; -1: in a later chunk. @param {{style: Style, rest: string}} pen @param {string} text @param {number} i @param {Target} to */
function escape(pen, text, i, to) {
  ESCAPE.lastIndex = UNFINISHED.lastIndex = i
  const found = ESCAPE.exec(text)
  if (!found) return UNFINISHED.test(text) && text.length - i < LONGEST ? -1 : i + 1
  const [all, params, final] = found
  if (final === 'm') {
    let next = pen.style.next.get(params)
    if (!next) pen.style.next.set(params, (next = sgr(pen.style, params)))
    pen.style = next
  } else if (final === 'K' && to.open()) {
    if (params === '2' || params === '1') to.home()
    erase(to.row())
  } else if (final === 'G' && (params || '1') === '1') to.home()
  return i + all.length
}

/**
 * Makes text nodes and spans of a row. Colours that are not of the theme are set by
 * script, which the policy style-src 'self' allows.
 * @param {HTMLElement} into @param {string} text @param {any[]|null} marks
 */
export function paint(into, text, marks) {
  if (!marks) return into.append(text)
  for (let m = 0; m < marks.length; m += 2) {
    const part = text.slice(marks[m], marks[m + 2])
    if (marks[m + 1] === PLAIN) into.append(part)
    else if (part) into.append(dressed(part, marks[m + 1]))
  }
}

/** @param {string} text @param {Style} look */
function dressed(text, look) {
  look.classes ??= classesOf(look)
  const span = document.createElement('span')
  span.className = look.classes
  for (const [name, colour] of look.vars ?? []) span.style.setProperty(name, colour)
  span.textContent = text
  return span
}

/** @param {Style} look */
function classesOf(look) {
  let { fg, bg } = look
  const list = WORDS.filter(([bit]) => look.looks & bit).map(([, word]) => word)
  if (look.looks & INVERSE) [fg, bg] = [bg ?? 'back', fg ?? 'text']
  const own = (/** @type {Colour} */ c) => String(c)[0] === '#'
  if (fg !== null) list.push(own(fg) ? 'sf' : 'f' + fg)
  if (bg !== null) list.push(own(bg) ? 'sg' : 'g' + bg)
  look.vars = /** @type {[string, string][]} */ ([['--f', fg], ['--g', bg]].filter(([, c]) => own(/** @type {Colour} */ (c))))
  return list.join(' ')
}
