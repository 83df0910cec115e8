// Form fields from a JSON Schema: what an engine's params are asked for with.
import { html, useId, useState } from './lib.js'

/** @typedef {Record<string, any>} Schema */

/**
 * A field with its label, its description and what is wrong with it.
 * @param {{label: string, hint?: any, error?: string, required?: boolean, children: (attributes: Record<string, any>) => any}} props
 *   children gets the attributes that tie the control to them
 */
export function Field({ label, hint, error, required, children }) {
  const id = useId()
  const described = [hint && id + 'h', error && id + 'e'].filter(Boolean).join(' ')
  return html`
    <div class="field">
      <label for=${id}>${label}${required && html` <span class="dim">(required)</span>`}</label>
      ${children({ id, 'aria-describedby': described || undefined, 'aria-invalid': error ? 'true' : undefined, required })}
      ${hint && html`<p class="hint" id=${id + 'h'}>${hint}</p>`}
      ${error && html`<p class="error-text" id=${id + 'e'}>${error}</p>`}
    </div>`
}

/** What a new form begins with: the defaults that the schema names. @param {Schema|null} schema */
export function defaultsOf(schema) {
  const values = /** @type {Record<string, any>} */ ({})
  for (const [name, p] of Object.entries(/** @type {Record<string, Schema>} */ (schema?.properties ?? {}))) {
    if (p.default !== undefined) values[name] = p.default
    else if (schema?.required?.includes(name) && p.type === 'boolean') values[name] = false
  }
  return values
}

/**
 * One field for each property.
 * @param {{schema: Schema, values: Record<string, any>, onChange: (values: Record<string, any>) => void, errorAt: (location: string) => string|undefined}} props
 */
export const SchemaForm = ({ schema, values, onChange, errorAt }) => html`${Object.entries(/** @type {Record<string, Schema>} */ (schema.properties ?? {})).map(([name, p]) => html`
  <${Param} key=${name} name=${name} p=${p} value=${values[name]} required=${schema.required?.includes(name)} error=${errorAt('params.' + name)}
    set=${(/** @type {any} */ v) => {
      const next = { ...values, [name]: v }
      if (v === undefined) delete next[name]
      onChange(next)
    }} />`)}`

/** @typedef {{name: string, p: Schema, value: any, required?: boolean, error?: string, set: (v: any) => void}} ParamProps */

/** @param {ParamProps} props */
function Param(props) {
  const { name, p, required, error } = props
  if (p.type === 'boolean') return html`<${Flag} ...${props} />`
  const hint = [p.description?.replace(/([^.!?])$/, '$1.'), limits(p)].filter(Boolean).join(' ')
  return html`<${Field} label=${p.title ?? name} ...${{ hint, error, required }}>${(/** @type {any} */ a) => control(props, a)}<//>`
}

/** @param {ParamProps} props @param {Record<string, any>} a */
function control({ p, value, set, required }, a) {
  const text = (/** @type {any} */ e) => set(e.target.value === '' ? undefined : e.target.value)
  if (p.enum) {
    return html`<select ...${a} value=${value === undefined ? '' : JSON.stringify(value)} onChange=${(/** @type {any} */ e) => set(e.target.value ? JSON.parse(e.target.value) : undefined)}>
      ${(value === undefined || !required) && html`<option value="">–</option>`}${p.enum.map((/** @type {any} */ v) => html`<option key=${String(v)} value=${JSON.stringify(v)}>${String(v)}</option>`)}</select>`
  }
  if (p.type === 'integer' || p.type === 'number') {
    return html`<input ...${a} type="number" step=${p.multipleOf ?? (p.type === 'integer' ? 1 : 'any')} min=${p.minimum} max=${p.maximum} value=${value ?? ''}
      onInput=${(/** @type {any} */ e) => set(e.target.value === '' ? undefined : Number(e.target.value))} />`
  }
  if (p.type === 'array' && p.items?.type === 'string' && !p.items.enum) return html`<${Lines} a=${a} value=${value} set=${set} />`
  if (p.type !== 'string') return html`<${Json} a=${a} value=${value} set=${set} />`
  if (p.format === 'textarea' || p.maxLength > 200) return html`<textarea ...${a} value=${value ?? ''} onInput=${text}></textarea>`
  const kind = { date: 'date', email: 'email', uri: 'url' }[/** @type {'date'} */ (p.format)] ?? 'text'
  return html`<input ...${a} type=${kind} value=${value ?? ''} onInput=${text} />`
}

/** A yes or no. @param {ParamProps} props */
const Flag = ({ name, p, value, error, set }) => html`
  <div class="field"><label class="check"><input type="checkbox" checked=${value === true} aria-invalid=${error ? 'true' : undefined} onChange=${(/** @type {any} */ e) => set(e.target.checked)} />
    <span><b>${p.title ?? name}</b>${p.description && html` <span class="dim">${p.description}</span>`}</span></label>
    ${error && html`<p class="error-text">${error}</p>`}</div>`

/** A list of strings, one in a line. @param {{a: any, value?: string[], set: (v: any) => void}} props */
export const Lines = ({ a, value, set }) => html`
  <textarea ...${a} rows="3" placeholder="One in a line" value=${(value ?? []).join('\n')}
    onInput=${(/** @type {any} */ e) => set(e.target.value === '' ? undefined : e.target.value.split('\n'))}></textarea>`

/**
 * Any JSON. Text that is none is kept as it is typed, and is no value.
 * @param {{a: any, value: any, set: (v: any) => void, onBad?: (bad: boolean) => void}} props
 */
export function Json({ a, value, set, onBad }) {
  const [text, setText] = useState(value === undefined ? '' : JSON.stringify(value, null, 2))
  const [bad, setBad] = useState('')
  const input = (/** @type {any} */ e) => {
    setText(e.target.value)
    let message = ''
    try {
      set(e.target.value.trim() ? JSON.parse(e.target.value) : undefined)
    } catch (err) {
      message = /** @type {Error} */ (err).message
    }
    setBad(message)
    onBad?.(message !== '')
    e.target.setCustomValidity(message)
  }
  return html`<textarea class="mono" spellcheck="false" ...${a} value=${text} onInput=${input} aria-invalid=${bad ? 'true' : a['aria-invalid']}></textarea>
    ${bad && html`<p class="error-text">This is not JSON yet: ${bad}</p>`}`
}

/** What a value must be, in words. @param {Schema} p */
function limits(p) {
  const words = []
  if (p.minimum !== undefined && p.maximum !== undefined) words.push(`From ${p.minimum} to ${p.maximum}.`)
  else if (p.minimum !== undefined) words.push(`${p.minimum} or more.`)
  else if (p.maximum !== undefined) words.push(`${p.maximum} or less.`)
  if (p.minLength > 1) words.push(`At least ${p.minLength} characters.`)
  if (p.pattern) words.push(`Must match ${p.pattern}.`)
  if (p.type === 'array' && p.items?.type === 'string' && !p.items.enum) words.push('One in a line.')
  return words.join(' ')
}
