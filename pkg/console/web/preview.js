// Files made readable: JSON as a tree, CSV as a table, Markdown as text. All of it
// is made of elements and text; nothing of a file is ever taken for HTML.
import { html, useState } from './lib.js'

const manyRows = 1000
const manyItems = 200

/**
 * A JSON value that opens and closes. What is closed is not built: a value may be
 * large, or deeper than a page can be.
 * @param {{value: any, name?: string, levels?: number}} props levels: so many are open at first
 */
export function Tree({ value, name, levels = 0 }) {
  const [open, show] = useState(levels > 0)
  const label = name === undefined ? '' : html`<span class="json-key">${name}</span>: `
  if (value === null || typeof value !== 'object') {
    return html`<div class="json-leaf">${label}<span class="json-${value === null ? 'null' : typeof value}">${JSON.stringify(value)}</span></div>`
  }
  const list = Array.isArray(value)
  const entries = Object.entries(value)
  if (!entries.length) return html`<div class="json-leaf">${label}${list ? '[]' : '{}'}</div>`
  const size = list ? `[${entries.length}]` : `{${entries.length}}`
  return html`
    <details class="json" open=${open} onToggle=${(/** @type {any} */ e) => show(e.currentTarget.open)}><summary>${label}<span class="dim">${size}</span></summary>
      ${open && entries.slice(0, manyItems).map(([k, v]) => html`<${Tree} key=${k} name=${k} value=${v} levels=${entries.length < 20 ? levels - 1 : 0} />`)}
      ${open && entries.length > manyItems && html`<p class="dim">… and ${entries.length - manyItems} more</p>`}
    </details>`
}

/** RFC 4180. @param {string} text @param {string} separator @returns {string[][]} */
export function csv(text, separator) {
  const rows = [['']]
  let quoted = false
  for (let i = 0; i < text.length && rows.length <= manyRows + 1; i++) {
    const c = text[i]
    const row = rows[rows.length - 1]
    if (quoted) {
      if (c !== '"') row[row.length - 1] += c
      else if (text[i + 1] === '"') row[row.length - 1] += text[++i]
      else quoted = false
    } else if (c === '"') quoted = true
    else if (c === separator) row.push('')
    else if (c === '\n') rows.push([''])
    else if (c !== '\r') row[row.length - 1] += c
  }
  if (rows[rows.length - 1].join('') === '') rows.pop()
  return rows
}

/** @param {{text: string, separator: string}} props */
export function Table({ text, separator }) {
  const [head, ...rows] = csv(text, separator)
  const numbers = (head ?? []).map((_, i) => rows.length > 0 && rows.every(r => !r[i] || !isNaN(+r[i])))
  return html`
    <table class="list"><thead><tr>${head?.map((h, i) => html`<th class=${numbers[i] ? 'right' : ''}>${h}</th>`)}</tr></thead>
      <tbody>${rows.slice(0, manyRows).map(r => html`<tr>${r.map((c, i) => html`<td class=${numbers[i] ? 'right num' : ''}>${c}</td>`)}</tr>`)}</tbody></table>
    ${rows.length >= manyRows && html`<p class="dim">Only the first ${manyRows.toLocaleString()} rows are shown.</p>`}`
}

/**
 * The Markdown that programs write: headings, lists, tables, quotes, code, links.
 * @param {{text: string, link: (to: string) => {url: string, content_type: string}|undefined}} props
 */
export function Markdown({ text, link }) {
  return html`<div class="markdown">${blocks(text.replaceAll('\r\n', '\n').split('\n'), link)}</div>`
}

const deepest = 20 // quotes and lists in each other; what is deeper stays as it is

const item = /^(\s*)([-*+]|\d+[.)])\s+(.*)$/

/** @param {string[]} lines @param {any} link @param {number} [depth] @returns {any[]} */
function blocks(lines, link, depth = 0) {
  if (depth > deepest) return [lines.join('\n')]
  const out = []
  for (let i = 0; i < lines.length; ) {
    const line = lines[i]
    const take = (/** @type {(l: string) => any} */ fits) => {
      const from = i
      while (i < lines.length && fits(lines[i])) i++
      return lines.slice(from, i)
    }
    const heading = line.match(/^(#{1,6})\s+(.*)$/)
    const fence = line.match(/^\s*(```+|~~~+)/)
    if (!line.trim()) i++
    else if (heading) {
      out.push(html`<${'h' + Math.min(6, heading[1].length + 2)}>${inline(heading[2].trimEnd().replace(/ #+$/, ''), link)}<//>`)
      i++
    } else if (fence) {
      i++
      const code = take(l => !l.trim().startsWith(fence[1]))
      i++
      out.push(html`<pre><code>${code.join('\n')}</code></pre>`)
    } else if (/^\s*([-*_])(\s*\1){2,}\s*$/.test(line)) {
      out.push(html`<hr />`)
      i++
    } else if (line.startsWith('>')) out.push(html`<blockquote>${blocks(take(l => l.startsWith('>')).map(l => l.replace(/^> ?/, '')), link, depth + 1)}</blockquote>`)
    else if (item.test(line)) out.push(list(take(l => item.test(l) || /^\s+\S/.test(l)), link, depth))
    else if (line.includes('|') && /^[\s|:-]+$/.test(lines[i + 1] ?? '') && lines[i + 1].includes('-')) out.push(grid(take(l => l.includes('|')), link))
    else out.push(html`<p>${inline([lines[i++], ...take(l => l.trim() && !/^(#{1,6}\s|>|\s*(```|~~~))/.test(l) && !item.test(l))].join('\n'), link)}</p>`)
  }
  return out
}

/** @param {string[]} lines @param {any} link @param {number} depth @returns {any} */
function list(lines, link, depth) {
  const [, indent, sign] = /** @type {RegExpMatchArray} */ (lines[0].match(item))
  const items = /** @type {string[][]} */ ([])
  for (const l of lines) {
    const m = l.match(item)
    if (m && m[1].length <= indent.length) items.push([m[3]])
    else items[items.length - 1].push(l.slice(indent.length + 2))
  }
  return html`<${/\d/.test(sign) ? 'ol' : 'ul'}>${items.map(([first, ...rest]) => html`<li>${inline(first, link)}${rest.length ? blocks(rest, link, depth + 1) : ''}</li>`)}<//>`
}

/** @param {string[]} lines @param {any} link */
function grid(lines, link) {
  const cells = (/** @type {string} */ l) => l.trim().replace(/^\||\|$/g, '').split(/(?<!\\)\|/).map(c => c.trim())
  const right = cells(lines[1]).map(c => c.endsWith(':') ? 'right' : '')
  const row = (/** @type {string} */ l, /** @type {string} */ as) => html`<tr>${cells(l).map((c, i) => html`<${as} class=${right[i]}>${inline(c, link)}<//>`)}</tr>`
  return html`<table class="list"><thead>${row(lines[0], 'th')}</thead><tbody>${lines.slice(2).map(l => row(l, 'td'))}</tbody></table>`
}

// Each has a bound, or a file of nothing but opening signs would take minutes.
const spans = /`([^`]{1,300})`|(!?)\[([^\]]{0,300})\]\(([^)\s]{1,2000})[^)]{0,300}\)|\*\*(.{1,300}?)\*\*|__(.{1,300}?)__|\*(.{1,300}?)\*|(?<!\w)_(.{1,300}?)_(?!\w)|~~(.{1,300}?)~~|(https?:\/\/[^\s<>)]+)/s

/** @param {string} text @param {any} link @returns {any[]} */
function inline(text, link) {
  const out = []
  for (let m; (m = text.match(spans)); text = text.slice((m.index ?? 0) + m[0].length)) {
    const [all, code, bang, label, to, strong, strong2, em, em2, del, bare] = m
    out.push(text.slice(0, m.index))
    if (code) out.push(html`<code>${code}</code>`)
    else if (to) out.push(reference(bang, label, to, link))
    else if (strong ?? strong2) out.push(html`<strong>${inline(strong ?? strong2, link)}</strong>`)
    else if (em ?? em2) out.push(html`<em>${inline(em ?? em2, link)}</em>`)
    else if (del) out.push(html`<del>${inline(del, link)}</del>`)
    else out.push(bare ? html`<a href=${bare} target="_blank" rel="noopener noreferrer">${bare}</a>` : all)
  }
  out.push(text)
  return out
}

/** A link or image: to the web, or to another file of the same execution. */
function reference(/** @type {string} */ bang, /** @type {string} */ label, /** @type {string} */ to, /** @type {any} */ link) {
  if (/^https?:\/\//.test(to)) return html`<a href=${to} target="_blank" rel="noopener noreferrer">${label || to}</a>`
  let file
  try {
    file = link(to)
  } catch {} // no address at all
  if (!file) return label
  if (bang && file.content_type.startsWith('image/')) return html`<img src="${file.url}?inline=1" alt=${label} />`
  return html`<a href="?file=${encodeURIComponent(file.path)}">${label}</a>`
}
