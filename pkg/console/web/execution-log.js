// The log of an execution with its tools. What is chosen is in the address, so a
// link shows another reader the same.
import { get } from './api.js'
import { count } from './format.js'
import { useKeys } from './keys.js'
import { html, signal, useEffect, useLayoutEffect, useMemo, useRef, useState } from './lib.js'
import { LogView } from './logview.js'
import { go, here, query, setQuery } from './router.js'
import { announce, toast } from './ui.js'

const replace = { replace: true }
/** @param {string} name @param {string} [value] */
const toggle = (name, value = '1') => setQuery({ [name]: query(name) === value ? '' : value }, replace)

/** @param {{following: import('./execution-state.js').Following, began: number, ended: boolean, onView: (v: any) => void}} props */
export function LogPanel({ following, began, ended, onView }) {
  const { id } = following
  const list = useRef(/** @type {any} */ (null))
  const view = useRef(/** @type {any} */ (null))
  const stats = useMemo(() => signal(/** @type {any} */ ({ lines: 0, follow: true, missed: 0, hits: 0, at: 0, error: '', errors: 0 })), [])
  const [full, setFull] = useState(false)

  useLayoutEffect(() => {
    const v = (view.current = new LogView(list.current, {
      read: (/** @type {number} */ after) => get(`/execute/output/${id}?after=${after}&limit=2000`),
      opened: () => setQuery({ closed: [...v.closed].join(), s: v.stream && query('s') }, replace),
      changed: () => {
        stats.value = { lines: v.lines, errors: v.errors, follow: v.follow, missed: v.missed, hits: v.search.hits.length, at: v.search.at + 1, error: v.search.error, marked: v.marked }
      }
    }))
    onView(v)
    following.run(e => v.push(e))
    return () => {
      following.close()
      v.close()
    }
  }, [])

  // What the address says, applied where it differs.
  const url = here.value
  const said = {
    wrap: query('wrap') === '1', times: query('t'), stream: query('s') === 'out' ? 'stdout' : query('s') === 'err' ? 'stderr' : '',
    q: query('q'), regex: query('re') === '1', only: query('only') === '1', closed: query('closed'), follow: query('follow') !== '0', hash: url.hash
  }
  useEffect(() => view.current.setWrap(said.wrap), [said.wrap])
  useEffect(() => view.current.setTimes(said.times, began), [said.times, began])
  useEffect(() => view.current.setStream(said.stream), [said.stream])
  useEffect(() => { view.current.search.ask(said.q, { regex: said.regex, only: said.only }) }, [said.q, said.regex, said.only])
  useEffect(() => view.current.setClosed(said.closed.split(',').filter(Boolean).map(Number)), [said.closed])
  useEffect(() => {
    const [, first, last] = said.hash.match(/^#L(\d+)(?:-L?(\d+))?$/) ?? []
    if (first) view.current.goto(+first, +(last ?? first))
    else view.current.mark(0)
  }, [said.hash])
  const wrote = useRef(/** @type {boolean|null} */ (null)) // what we wrote there ourselves says nothing new
  useEffect(() => {
    if (!said.hash && wrote.current !== said.follow) view.current.setFollow(said.follow)
    wrote.current = null
  }, [said.follow])

  const s = stats.value
  // Scrolling pauses following, and the address says so, but only once it rests.
  useEffect(() => {
    const timer = setTimeout(() => {
      if (s.follow === (query('follow') !== '0')) return
      wrote.current = s.follow
      setQuery({ follow: s.follow ? '' : '0' }, replace)
    }, 400)
    return () => clearTimeout(timer)
  }, [s.follow])

  const acts = {
    follow: () => { view.current.setFollow(!view.current.follow); announce(view.current.follow ? 'Following the end' : 'Not following') },
    end: () => { if (here.value.hash) go(here.value.pathname + here.value.search, replace); view.current.setFollow(true) },
    search: () => box.current.select(),
    firstError: () => {
      const n = view.current.firstError
      if (n) go(`${here.value.search}#L${n}`, replace)
      else toast('Nothing was written to stderr')
    },
    step: (/** @type {number} */ by) => view.current.search.step(by)
  }
  const box = useRef(/** @type {any} */ (null))
  useKeys({
    f: ['Follow the end of the log, or stop', acts.follow],
    '/': ['Search in the log', e => { e.preventDefault(); acts.search() }],
    n: ['Next hit', () => acts.step(1)],
    p: ['Hit before', () => acts.step(-1)],
    w: ['Wrap long lines', () => toggle('wrap')],
    t: ['Times of lines: of the day, since the start, none', nextTimes],
    e: ['First line of stderr', acts.firstError],
    End: ['Jump to the end of the log', acts.end]
  })

  const click = (/** @type {any} */ e) => {
    const n = view.current.lineAt(e)
    if (n) {
      const from = e.shiftKey && view.current.marked ? view.current.marked[0] : n
      view.current.quiet = true
      go(`${here.value.search}#L${Math.min(from, n)}${from === n ? '' : `-L${Math.max(from, n)}`}`, replace)
    } else if (e.target.closest?.('.fold')) {
      setQuery({ closed: [...view.current.closed].join() }, replace)
    }
  }

  return html`
    <section class="log-panel ${full ? 'full' : ''}" aria-label="Log">
      <div class="log-bar">
        <${SearchBox} box=${box} stats=${s} step=${acts.step} />
        <div class="group" role="group" aria-label="Streams">
          ${[['', 'All'], ['out', 'stdout'], ['err', 'stderr']].map(([value, label]) => html`
            <button key=${value} aria-pressed=${query('s') === value} onClick=${() => setQuery({ s: value }, replace)}>${label}</button>`)}
        </div>
        <button aria-pressed=${!!said.times} onClick=${nextTimes} title="Times of lines (t)">${said.times === 'rel' ? 'Since start' : said.times ? 'Time' : 'Times'}</button>
        <button aria-pressed=${said.wrap} onClick=${() => toggle('wrap')} title="Wrap long lines (w)">Wrap</button>
        <button onClick=${acts.firstError} disabled=${!s.errors} title="First line of stderr (e)">First stderr</button>
        ${!ended && html`<button aria-pressed=${s.follow} onClick=${acts.follow} title="Follow the end (f)">Follow</button>`}
        <span class="grow"></span>
        ${s.marked && html`<button onClick=${copyLink}>Copy link to ${s.marked[0] === s.marked[1] ? `line ${s.marked[0]}` : `lines ${s.marked[0]}–${s.marked[1]}`}</button>`}
        <details class="menu"><summary class="button">Download</summary><div>
          <a href="/execute/output/${id}?format=text&download=true" download="${id}.log">Text, as it was written</a>
          <a href="/execute/output/${id}?format=ndjson&download=true" download="${id}.ndjson">All events (NDJSON)</a>
        </div></details>
        <button aria-pressed=${full} onClick=${() => setFull(!full)} aria-label="The log over the whole window" title="The log over the whole window">
          <svg class="icon" viewBox="0 0 16 16" aria-hidden="true"><path d="M9.5 2.5h4v4M13.5 2.5l-5 5M6.5 13.5h-4v-4M2.5 13.5l5-5" /></svg></button>
      </div>
      <div class="log-frame">
        <div class="log" ref=${list} role="log" aria-live="off" aria-label="Output of the program" tabindex="0" onClick=${click}></div>
        ${!s.lines && html`<p class="log-empty dim">${ended ? 'It wrote nothing.' : 'Nothing was written yet.'}</p>`}
        ${!s.follow && s.lines > 0 && html`<button class="log-end primary" onClick=${acts.end}>↓ ${s.missed ? count(s.missed, 'new line') : 'Jump to the end'}</button>`}
      </div>
      <p class="log-foot dim num">${count(s.lines, 'line')}${s.errors ? `, ${s.errors.toLocaleString()} of them stderr` : ''}${said.q && !s.error ? ` · ${count(s.hits, 'hit')}` : ''}</p>
    </section>`
}

const nextTimes = () => setQuery({ t: { '': 'abs', abs: 'rel', rel: '' }[query('t')] ?? '' }, replace)

const copyLink = () => navigator.clipboard.writeText(location.href).then(() => toast('Link copied'), () => toast('The browser did not let the page copy', { kind: 'bad' }))

/** @param {{box: any, stats: any, step: (by: number) => void}} props */
function SearchBox({ box, stats, step }) {
  const timer = useRef(0)
  const q = query('q')
  const typed = (/** @type {any} */ e) => {
    clearTimeout(timer.current)
    const { value } = e.target
    timer.current = setTimeout(() => setQuery({ q: value, only: value ? query('only') : '' }, replace), 150)
  }
  const key = (/** @type {any} */ e) => {
    if (e.key === 'Enter') step(e.shiftKey ? -1 : 1)
    if (e.key === 'Escape') { setQuery({ q: '', only: '' }, replace); e.target.value = ''; e.target.blur() }
  }
  return html`
    <div class="group search" role="search">
      <input ref=${box} type="search" placeholder="Search the log  /" aria-label="Search the log" defaultValue=${q} onInput=${typed} onKeyDown=${key}
        aria-invalid=${!!stats.error} title="Capital letters make case count. Enter: next, Shift+Enter: before" />
      <button aria-pressed=${query('re') === '1'} onClick=${() => toggle('re')} title="Regular expression" aria-label="Regular expression">.*</button>
      ${q && html`
        <span class="hits num ${stats.error ? 'error-text' : 'dim'}" role="status">${stats.error || (stats.hits ? `${stats.at || '–'} of ${stats.hits.toLocaleString()}` : 'no hits')}</span>
        <button onClick=${() => step(-1)} disabled=${!stats.hits} aria-label="Hit before" title="Hit before (p)">↑</button>
        <button onClick=${() => step(1)} disabled=${!stats.hits} aria-label="Next hit" title="Next hit (n)">↓</button>
        <button aria-pressed=${query('only') === '1'} onClick=${() => toggle('only')} title="Only hits, with three lines around each">Only hits</button>`}
    </div>`
}
