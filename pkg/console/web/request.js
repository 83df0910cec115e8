// What the form of a new run holds, as a request.
import { post } from './api.js'

/** @typedef {import('./types').StartRequest} StartRequest */
/** @typedef {import('./types').StartRequest} Spec */
/** @typedef {import('./types').Engine} Engine */
/** @typedef {Record<string, any>} Form what stands in the form: StartRequest's fields, labels and args as text */

/** The form of a spec, or of nothing yet. @param {Partial<Spec>} spec @returns {Form} */
export const formOf = spec => ({
  params: spec.params ?? {}, args: (spec.args ?? []).join('\n'), input: spec.input ?? undefined,
  labels: Object.entries(spec.labels ?? {}).map(([k, v]) => `${k}=${v}`).join('\n'),
  timeout_seconds: spec.timeout_seconds, queue: spec.queue ?? '', on_interrupt: spec.on_interrupt ?? '', max_attempts: spec.max_attempts,
  env: {},
})

/** The request of a form; what was left empty is not in it. @param {Engine} engine @param {Form} form @returns {StartRequest} */
export function requestOf(engine, form) {
  const args = form.args === '' ? [] : form.args.split('\n')
  const labels = Object.fromEntries(form.labels.split('\n').map((/** @type {string} */ l) => l.trim()).filter(Boolean)
    .map((/** @type {string} */ l) => { const at = (l + '=').indexOf('='); return [l.slice(0, at).trim(), l.slice(at + 1).trim()] }))
  const all = {
    [engine.kind]: engine.name,
    args: args.length ? args : undefined,
    params: engine.params && Object.keys(form.params).length ? form.params : undefined,
    input: engine.takes_input ? form.input : undefined,
    env: Object.keys(form.env).length ? form.env : undefined,
    labels: Object.keys(labels).length ? labels : undefined,
    timeout_seconds: form.timeout_seconds, queue: form.queue || undefined,
    on_interrupt: form.on_interrupt || undefined, max_attempts: form.max_attempts,
  }
  return /** @type {StartRequest} */ (Object.fromEntries(Object.entries(all).filter(([, v]) => v !== undefined)))
}

/**
 * What of a request differs from the spec that it began as: a rerun takes over the
 * rest, with values of variables and files that only the server knows.
 * @param {StartRequest} request @param {Spec} spec
 */
export function changes(request, spec) {
  const kept = requestOf(/** @type {any} */ ({ kind: spec.engine ? 'engine' : 'command', name: spec.engine ?? spec.command, params: {}, takes_input: true }), formOf(spec))
  const differ = /** @type {Record<string, any>} */ ({})
  for (const [name, value] of Object.entries(request)) {
    if (JSON.stringify(value) !== JSON.stringify(/** @type {any} */ (kept)[name])) differ[name] = value
  }
  // The server takes env as a whole: *** leaves a value as it was.
  if (differ.env) differ.env = { ...spec.env, ...differ.env }
  if (!request.args && kept.args) differ.args = []
  if (!request.params && kept.params) differ.params = {}
  if (!request.labels && kept.labels) differ.labels = {}
  return differ
}

/**
 * Starts a request, or runs an execution again with changes. The same key with the
 * same body never starts two, so that whoever is not sure may send it again.
 * @param {{from: string, body: any, files: File[], key: string}} what
 * @returns {Promise<import('./types').Started>}
 */
export function start({ from, body, files, key }) {
  const path = from ? `/execute/rerun/${from}` : '/execute/start'
  if (!files.length) return post(path, body, { headers: { 'Idempotency-Key': key } })
  const form = new FormData()
  form.append('request', new Blob([JSON.stringify(body)], { type: 'application/json' }))
  for (const f of files) form.append('files', f, f.webkitRelativePath || f.name)
  return post(path, form, { headers: { 'Idempotency-Key': key } })
}

/** @param {string} path @param {any} body The same as a line for a shell. */
export const asCurl = (path, body) => [
  `curl ${location.origin}${path}`, '-H "Authorization: Bearer $LONGHAUL_TOKEN"', "-H 'Content-Type: application/json'",
  `-d '${JSON.stringify(body).replaceAll("'", `'\\''`)}'`,
].join(' \\\n  ')
