// One row of the log as an element.
import { paint } from './ansi.js'

/** @typedef {import('./log.js').Row} Row */

const longest = 10_000 // characters that are drawn before somebody asks for the rest

/**
 * Draws a row, new or again.
 * @param {Row} row
 * @param {{visible: boolean, marked: boolean, closed: boolean, fold: () => void}} how
 */
export function draw(row, { visible, marked, closed, fold }) {
  const el = (row.el ??= document.createElement('div'))
  el.className = (row.note ? `note ${row.note}` : row.err ? 'l e' : 'l') + (marked ? ' at' : '')
  if (row.n) el.setAttribute('data-n', String(row.n))
  if (el.hidden === visible) el.hidden = !visible
  if (el.firstChild) el.textContent = ''
  if (row.head) el.append(folder(row.head.title, closed, fold))
  else if (row.text.length > longest && !row.whole) cutShort(el, row)
  else if (row.text) paint(el, row.text, row.marks)
  else el.append(document.createElement('br')) // else a copy would lack the line
  return el
}

/** @param {string} title @param {boolean} closed @param {() => void} fold */
function folder(title, closed, fold) {
  const button = document.createElement('button')
  button.className = 'fold'
  button.ariaExpanded = String(!closed)
  button.textContent = title
  button.onclick = fold
  return button
}

/** @param {HTMLElement} el @param {Row} row */
function cutShort(el, row) {
  paint(el, row.text.slice(0, longest), row.marks)
  const button = document.createElement('button')
  button.textContent = `… ${(row.text.length - longest).toLocaleString('en')} more characters`
  button.onclick = () => {
    row.whole = true
    el.textContent = ''
    paint(el, row.text, row.marks)
  }
  el.append(button)
}

const wide = /[\u1100-\ua4cf\uac00-\ud7af\uf900-\ufaff\uff00-\uff60\ud83c-\ud83e]/g

/** How many columns a row may take. @param {string} text */
export function columns(text) {
  const n = Math.min(text.length, longest)
  if (!/[^\x20-\xff]/.test(text)) return n
  return n + (text.match(wide)?.length ?? 0) + 7 * (text.split('\t').length - 1)
}

const two = (/** @type {number} */ n) => String(n).padStart(2, '0')
const three = (/** @type {number} */ n) => String(n).padStart(3, '0')

/** The time of day, in the reader's time zone. @param {number} ms */
function ofDay(ms) {
  const d = new Date(ms)
  return `${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())}.${three(d.getMilliseconds())}`
}

/** A span as +m:ss.mmm. @param {number} ms */
function since(ms) {
  const at = Math.abs(ms)
  const [h, m, s] = [Math.floor(at / 3_600_000), Math.floor(at / 60_000) % 60, Math.floor(at / 1000) % 60]
  return `${ms < 0 ? '-' : '+'}${h ? `${h}:${two(m)}` : m}:${two(s)}.${three(at % 1000)}`
}

/** Writes the time of a row where the style sheet shows it. @param {Row} row @param {string} mode abs, rel or none @param {number} began */
export function stamp({ el, n, from: { time } }, mode, began) {
  if (!el || !n) return
  if (!mode || !time) el.removeAttribute('data-t')
  else el.setAttribute('data-t', mode === 'rel' ? since(time - began) : ofDay(time))
}
