// The same run as a line to paste. The token is never in it, only its variable, and
// values of the environment are the *** that the server shows.
import { get } from './api.js'
import { quote } from './format.js'

/** @typedef {Record<string, any>} Spec */

/** @param {string} id @returns {Promise<Spec>} */
export const specOf = async id => clean(await get(`/execute/spec/${id}`))

// clean leaves out what says nothing.
/** @param {Spec} spec */
function clean(spec) {
  const empty = (/** @type {any} */ v) => v == null || v === '' || v === 0 || (typeof v === 'object' && !Object.keys(v).length)
  return Object.fromEntries(Object.entries(spec).filter(([, v]) => !empty(v)))
}

const json = (/** @type {any} */ v, indent = 0) => JSON.stringify(v, null, indent)
const q = (/** @type {string} */ s) => `'${s.replaceAll("'", `'\\''`)}'`

/** @param {Spec} spec @param {string} origin */
function curl(spec, origin) {
  return `curl -X POST ${origin}/execute/start \\
  -H "Authorization: Bearer $LONGHAUL_TOKEN" \\
  -H 'Content-Type: application/json' \\
  -d ${q(json(spec))}`
}

/** @param {Spec} spec @param {string} origin */
function cli(spec, origin) {
  const flags = [
    spec.engine && `--engine ${quote(spec.engine)}`,
    spec.params && `--params ${q(json(spec.params))}`,
    spec.input !== undefined && `--input ${q(json(spec.input))}`,
    spec.timeout_seconds && `--timeout ${spec.timeout_seconds}s`,
    spec.queue && `--queue ${spec.queue}`,
    ...Object.entries(spec.labels ?? {}).map(([k, v]) => `--label ${quote(`${k}=${v}`)}`),
    ...Object.entries(spec.env ?? {}).map(([k, v]) => `--env ${quote(`${k}=${v}`)}`),
    spec.on_interrupt === 'requeue' && `--on-interrupt requeue --max-attempts ${spec.max_attempts ?? 2}`
  ].filter(Boolean)
  const command = [spec.command, ...(spec.args ?? [])].filter(v => v !== undefined).map(quote)
  return `export LONGHAUL_URL=${origin}   # and LONGHAUL_TOKEN\n${['longhaul run', ...flags, command.length && `-- ${command.join(' ')}`].filter(Boolean).join(' ')}`
}

/** @param {Spec} spec @param {string} origin */
function typescript(spec, origin) {
  return `const answer = await fetch('${origin}/execute/start', {
  method: 'POST',
  headers: { Authorization: \`Bearer \${process.env.LONGHAUL_TOKEN}\`, 'Content-Type': 'application/json' },
  body: JSON.stringify(${json(spec, 2).replaceAll('\n', '\n  ')}),
})
const { execution_id } = await answer.json()`
}

/** With the package of sdk/python. @param {Spec} spec @param {string} origin */
function python(spec, origin) {
  const { command, args = [], ...rest } = spec
  const given = [...(command ? [command, ...args] : []).map(v => pythonic(v)), ...Object.entries(command ? rest : spec).map(([k, v]) => `${k}=${pythonic(v, '    ')}`)]
  return `import os
from longhaul import Client

with Client("${origin}", os.environ["LONGHAUL_TOKEN"]) as client:
    finished = client.run(${given.join(', ')})
    print(finished.status, finished.result)`
}

/** A value as Python writes it. @param {any} v @param {string} pad @returns {string} */
function pythonic(v, pad = '') {
  if (v === null) return 'None'
  if (typeof v === 'boolean') return v ? 'True' : 'False'
  if (typeof v !== 'object') return json(v)
  const deeper = pad + '    '
  const items = Array.isArray(v) ? v.map(i => pythonic(i, deeper)) : Object.entries(v).map(([k, i]) => `${json(k)}: ${pythonic(i, deeper)}`)
  const [open, close] = Array.isArray(v) ? '[]' : '{}'
  const flat = open + items.join(', ') + close
  return flat.length < 80 ? flat : `${open}\n${items.map(i => deeper + i + ',\n').join('')}${pad}${close}`
}

/**
 * Says above a form what it lacks: files, which a line of text cannot carry, and values that nobody is shown.
 * @param {(spec: Spec, origin: string) => string} form @param {string} sign of a comment
 * @returns {(spec: Spec, origin: string) => string}
 */
const told = (form, sign = '#') => ({ files, ...spec }, origin) => [
  files && `${sign} Without its input files: ${files.map((/** @type {any} */ f) => json(f.path)).join(', ')}\n`,
  json(spec.env ?? 0).includes('"***"') && `${sign} Put in what *** stands for\n`,
  form(spec, origin)
].filter(Boolean).join('')

/** What the menu offers. @type {[string, (spec: Spec, origin: string) => string][]} */
export const forms = [['curl', told(curl)], ['CLI', told(cli)], ['TypeScript', told(typescript, '//')], ['Python', told(python)]]
