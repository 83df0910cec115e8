// The page that starts an execution: a form made from the catalog, or from an
// execution that ran before (?from=).
import { Problem, get, newKey } from './api.js'
import { bytes, count } from './format.js'
import { html, useEffect, useMemo, useRef, useState } from './lib.js'
import { Options } from './newoptions.js'
import { usePoll } from './poll.js'
import { asCurl, changes, formOf, requestOf, start } from './request.js'
import { go, query, setQuery } from './router.js'
import { Field, Json, Lines, SchemaForm, defaultsOf } from './schemaform.js'
import { Empty, Failure, Loading, Page, announce, toast } from './ui.js'
import { toggleWatch } from './watch.js'

/** @typedef {import('./types').Engine} Engine */
/** @typedef {import('./types').StartRequest} Spec */

export function NewRun() {
  const from = query('from')
  const { data, error, refresh } = usePoll('/engines', 0)
  const engines = /** @type {import('./types').Engines|null} */ (data)?.engines
  const [spec, setSpec] = useState(/** @type {Spec|null} */ (null))
  const [missing, setMissing] = useState(/** @type {Error|null} */ (null))
  useEffect(() => {
    setSpec(null)
    if (from) get(`/execute/spec/${from}`).then(s => setSpec(/** @type {Spec} */ (s)), setMissing)
  }, [from])
  const body = () => {
    if (error || missing) return html`<${Failure} error=${error ?? missing} retry=${error ? refresh : undefined} />`
    if (!engines || (from && !spec)) return html`<${Loading} />`
    const chosen = spec ? spec.engine ?? spec.command : query('engine') || query('command')
    const engine = engines.find(e => e.name === chosen) ?? (spec ? undefined : engines[0])
    if (!engine) return html`<${Empty} title=${spec ? `The catalog has no ${chosen} any more` : 'The catalog is empty'}><p><a href="/console/engines">Engines</a></p><//>`
    return html`<${Form} key=${engine.kind + engine.name + from} ...${{ engine, engines, spec, from }} />`
  }
  return html`<${Page} title=${from ? 'Run again' : 'New run'}>${body()}<//>`
}

/** @param {{engine: Engine, engines: Engine[], spec: Spec|null, from: string}} props */
function Form({ engine, engines, spec, from }) {
  const schema = /** @type {any} */ (engine.params)
  const [form, setForm] = useState(() => (spec ? formOf(spec) : { ...formOf({}), params: defaultsOf(schema) }))
  const [files, setFiles] = useState(/** @type {File[]} */ ([]))
  const [tell, setTell] = useState(false)
  const { errorAt, others, busy, submit } = useStart(placesOf(engine), form)
  const set = (/** @type {Record<string, any>} */ parts) => setForm(f => ({ ...f, ...parts }))
  const request = useMemo(() => requestOf(engine, form), [form])
  const body = spec ? changes(request, spec) : request
  const pick = (/** @type {any} */ e) => {
    const next = engines[e.target.value]
    setQuery({ engine: '', command: '', [next.kind]: next.name }, { replace: true })
  }
  return html`
    <form class="run card" noValidate onSubmit=${(/** @type {SubmitEvent} */ e) => submit(e, { from, body, files, tell })}>
      ${from ? html`<p>With what <a class="mono" href=${`/console/executions/${from}`}>${from}</a> had; change what should differ.</p>`
        : html`<${Field} label="What to run" hint=${engine.description}>${(/** @type {any} */ a) => html`
        <select ...${a} value=${engines.indexOf(engine)} onChange=${pick}>${engines.map((e, i) => html`<option key=${i} value=${i}>${e.name}${e.kind === 'command' ? ' (command)' : ''}</option>`)}</select>`}<//>`}
      <div role="alert">${others.length > 0 && html`<div class="problems"><b>It was not started.</b><ul>${others.map(o => html`<li key=${o}>${o}</li>`)}</ul></div>`}</div>
      ${schema && html`<${SchemaForm} schema=${schema} values=${form.params} onChange=${(/** @type {any} */ params) => set({ params })} errorAt=${errorAt} />`}
      ${engine.allows_args && html`<${Field} label="Arguments" hint="One in a line; nothing goes through a shell." error=${errorAt('args')}>${(/** @type {any} */ a) => html`
        <${Lines} a=${{ ...a, class: 'mono' }} value=${form.args.split('\n')} set=${(/** @type {string[]|undefined} */ v) => set({ args: (v ?? []).join('\n') })} />`}<//>`}
      ${engine.takes_input && html`<${Field} label="Input" hint="Any JSON; the program reads it on stdin." error=${errorAt('input')}>${(/** @type {any} */ a) => html`
        <${Json} a=${a} value=${form.input} set=${(/** @type {any} */ input) => set({ input })} />`}<//>`}
      ${!from && html`<${Files} files=${files} onChange=${setFiles} error=${errorAt('files')} />`}
      ${spec?.files?.length ? html`<p class="hint">Its ${count(spec.files.length, 'file')} will be there again.</p>` : null}
      <${Options} engine=${engine} form=${form} set=${set} errorAt=${errorAt} open=${Boolean(from)} masked=${Object.keys(spec?.env ?? {})} />
      <details><summary>The same as a request</summary><pre tabindex="0">${asCurl(from ? `/execute/rerun/${from}` : '/execute/start', body)}</pre></details>
      <div class="actions"><label class="check"><input type="checkbox" checked=${tell} onChange=${(/** @type {any} */ e) => setTell(e.target.checked)} /> Tell me when it has ended</label>
        <button class="primary" disabled=${busy}>${busy ? 'Starting…' : from ? 'Run again' : 'Start'}</button></div>
    </form>`
}

/** Where the form has a field for a problem. @param {Engine} engine */
const placesOf = engine => ['labels', 'timeout_seconds', 'queue', 'on_interrupt', 'max_attempts', 'files',
  ...(engine.allows_args ? ['args'] : []), ...(engine.takes_input ? ['input'] : []), ...engine.env.map(n => 'env.' + n),
  ...Object.keys(/** @type {any} */ (engine.params)?.properties ?? {}).map(n => 'params.' + n)]

/**
 * Sends the form, and puts what is wrong with it where it is wrong, until that is changed.
 * @param {string[]} places @param {Record<string, any>} form
 */
function useStart(places, form) {
  const [problem, setProblem] = useState(/** @type {Problem|null} */ (null))
  const [busy, setBusy] = useState(false)
  const sent = useRef({ body: '', key: '' })
  const refused = useRef(form)
  const changed = (/** @type {string} */ at) => valueAt(form, at) !== valueAt(refused.current, at)
  const errors = (problem?.errors ?? []).filter(e => !changed(places.find(at => within(e.location ?? '', at)) ?? ''))
  const errorAt = (/** @type {string} */ at) => errors.filter(e => within(e.location ?? '', at)).map(e => e.message).join('; ') || undefined
  const submit = async (/** @type {SubmitEvent} */ e, /** @type {{from: string, body: any, files: File[], tell: boolean}} */ what) => {
    e.preventDefault()
    const element = /** @type {HTMLFormElement} */ (e.target)
    const bad = [...element.querySelectorAll('textarea')].find(t => t.validity.customError) // no JSON yet
    if (bad) return bad.focus()
    // Sent again unchanged, it has the same key: if the first did arrive, there is no second.
    const text = JSON.stringify([what.body, what.files.map(f => [f.name, f.size, f.lastModified])])
    if (sent.current.body !== text) sent.current = { body: text, key: newKey() }
    refused.current = form
    setBusy(true)
    try {
      const started = await start({ ...what, key: sent.current.key })
      if (what.tell) toggleWatch(started.execution_id)
      const place = started.queue_position
      toast(started.status !== 'queued' || !place ? 'Started' : `In line: ${count(place, 'other')} before it`)
      go(`/console/executions/${started.execution_id}`)
    } catch (err) {
      setBusy(false)
      const p = err instanceof Problem ? err : new Problem({ detail: /** @type {Error} */ (err).message })
      setProblem(p)
      announce(p.errors.length ? `${count(p.errors.length, 'field')} must be corrected` : p.message)
      setTimeout(() => /** @type {HTMLElement|null} */ (element.querySelector('[aria-invalid=true]'))?.focus(), 50)
    }
  }
  const elsewhere = errors.filter(e => !places.some(at => within(e.location ?? '', at))).map(e => `${e.location} ${e.message}`)
  const others = problem && !problem.errors.length ? [problem.message] : elsewhere
  return { errorAt, others, busy, submit }
}

/** What the form holds at a place, as text. @param {Record<string, any>} form @param {string} at */
const valueAt = (form, at) => JSON.stringify(at.split('.').reduce((v, name) => v?.[name], form))

/** @param {string} location @param {string} at Whether a problem's place is a field or lies within it. */
const within = (location, at) => location === at || location.startsWith(at + '.') || location.startsWith(at + '[')

/** @param {{files: File[], onChange: (files: File[]) => void, error?: string}} props */
const Files = ({ files, onChange, error }) => html`
  <${Field} label="Files" error=${error} hint=${files.length ? files.map(f => `${f.name} (${bytes(f.size)})`).join(', ') : 'The program finds them in its folder.'}>${(/** @type {any} */ a) => html`
    <input ...${a} type="file" multiple onChange=${(/** @type {any} */ e) => onChange([...e.target.files])} />`}<//>`
