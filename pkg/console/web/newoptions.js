// The part of the form that most runs leave as it is.
import { duration } from './format.js'
import { html } from './lib.js'
import { Field } from './schemaform.js'

/**
 * @param {{engine: import('./types').Engine, form: import('./request.js').Form, set: (parts: Record<string, any>) => void,
 *   errorAt: (location: string) => string|undefined, open: boolean, masked: string[]}} props
 *   masked: variables whose values only the server knows
 */
export function Options({ engine, form, set, errorAt, open, masked }) {
  const d = engine.defaults
  const number = (/** @type {string} */ name) => (/** @type {any} */ e) => set({ [name]: e.target.value === '' ? undefined : Number(e.target.value) })
  const text = (/** @type {string} */ name) => (/** @type {any} */ e) => set({ [name]: e.target.value })
  const wrong = ['labels', 'timeout_seconds', 'queue', 'on_interrupt', 'max_attempts', 'env'].some(errorAt)
  const timeout = [d.timeout_seconds && `${duration(d.timeout_seconds)} if left empty.`, d.max_timeout_seconds && `At most ${duration(d.max_timeout_seconds)}.`].filter(Boolean).join(' ')
  return html`
    <details open=${open || wrong || undefined}><summary>Options</summary>
      <div class="options">
        <${Field} label="Labels" hint="key=value, one in a line; the list can be filtered by them." error=${errorAt('labels')}>${(/** @type {any} */ a) => html`
          <textarea ...${a} rows="2" value=${form.labels} onInput=${text('labels')}></textarea>`}<//>
        <${Field} label="Timeout in seconds" hint=${timeout} error=${errorAt('timeout_seconds')}>${(/** @type {any} */ a) => html`
          <input ...${a} type="number" min="1" max=${d.max_timeout_seconds} value=${form.timeout_seconds ?? ''} onInput=${number('timeout_seconds')} />`}<//>
        <${Field} label="Queue" error=${errorAt('queue')}>${(/** @type {any} */ a) => html`
          <select ...${a} value=${form.queue} onChange=${text('queue')}>
            <option value="">${d.queue ?? 'default'} (as the catalog says)</option><option>critical</option><option>default</option><option>low</option></select>`}<//>
        <${Field} label="When its worker is lost" error=${errorAt('on_interrupt')}>${(/** @type {any} */ a) => html`
          <select ...${a} value=${form.on_interrupt} onChange=${text('on_interrupt')}>
            <option value="">as the catalog says (${d.on_interrupt === 'requeue' ? 'run again' : 'end it'})</option>
            <option value="fail">end it: it never runs twice</option><option value="requeue">run it again</option></select>`}<//>
        <${Field} label="Attempts at most" error=${errorAt('max_attempts')}>${(/** @type {any} */ a) => html`
          <input ...${a} type="number" min="1" max="100" value=${form.max_attempts ?? ''} onInput=${number('max_attempts')} />`}<//>
        ${engine.env.map(name => html`
          <${Field} key=${name} label=${name} hint=${masked.includes(name) ? 'Stays as it was if left empty.' : 'A variable of the program.'} error=${errorAt('env.' + name)}>${(/** @type {any} */ a) => html`
            <input ...${a} type="text" autocomplete="off" value=${form.env[name] ?? ''} onInput=${(/** @type {any} */ e) => {
              const env = { ...form.env, [name]: e.target.value }
              if (e.target.value === '') delete env[name]
              set({ env })
            }} />`}<//>`)}
      </div>
    </details>`
}
