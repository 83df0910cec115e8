// How the console asks the server: plain answers, and errors in plain words.
import { signal } from './lib.js'

/** @typedef {import('./types').ProblemDocument} ProblemDocument */

/** Whether this browser is logged in: it is asked again when a session ends. */
export const session = signal(/** @type {'unknown'|'in'|'out'} */ ('unknown'))

/** When the session ends by itself; null where the server asks for no token. */
export const sessionEnds = signal(/** @type {string|null} */ (null))

/** Since when the server has not been reached; 0 while all is well. */
export const lostSince = signal(0)

/** Why a request was not answered as it should be. Its message is for people. */
export class Problem extends Error {
  /** @param {Partial<ProblemDocument> & {retryAfter?: number}} p */
  constructor(p) {
    super(p.detail || 'The request failed')
    this.status = p.status ?? 0
    this.code = p.code ?? 'unreachable'
    this.title = p.title ?? ''
    /** Each field that is wrong: {location, message}. */
    this.errors = p.errors ?? []
    this.requestId = p.request_id ?? ''
    /** In what status the execution had ended, for code conflict. */
    this.executionStatus = p.execution_status
    /** Seconds after which the same request may work. */
    this.retryAfter = p.retryAfter ?? 0
  }

  /** Whether it may pass by itself: nobody answers, or a deploy is under way. */
  get passes() {
    return this.status === 0 || this.status === 429 || this.status >= 502
  }
}

/**
 * Sends one request and gives its JSON, or null where there is none.
 * @template T
 * @param {string} method
 * @param {string} path
 * @param {{body?: any, signal?: AbortSignal, headers?: Record<string, string>}} [options]
 * @returns {Promise<T>}
 */
export async function call(method, path, { body, signal, headers = {} } = {}) {
  if (body !== undefined && !(body instanceof FormData)) {
    headers = { 'Content-Type': 'application/json', ...headers }
    body = JSON.stringify(body)
  }
  const res = await send(path, { method, body, signal, headers: { Accept: 'application/json', ...headers } })
  if (!res.ok) throw await problemOf(res)
  return res.status === 204 ? /** @type {any} */ (null) : res.json()
}

/** @type {<T>(path: string, options?: {signal?: AbortSignal, headers?: Record<string, string>}) => Promise<T>} */
export const get = (path, options) => call('GET', path, options)

/** @type {<T>(path: string, body?: any, options?: {signal?: AbortSignal, headers?: Record<string, string>}) => Promise<T>} */
export const post = (path, body, options) => call('POST', path, { body, ...options })

/** An Idempotency-Key that nobody has. Not randomUUID, which a page that came over plain HTTP lacks. */
export const newKey = () => [...crypto.getRandomValues(new Uint8Array(12))].map(b => b.toString(16).padStart(2, '0')).join('')

/**
 * fetch that knows whether the server is there and whether the session lasts.
 * @param {string} path
 * @param {RequestInit} [init]
 */
export async function send(path, init) {
  let res
  try {
    res = await fetch(path, { cache: 'no-store', ...init })
  } catch (err) {
    if (init?.signal?.aborted) throw err
    reached(false)
    throw new Problem({ detail: 'The server cannot be reached.' })
  }
  reached(res.status < 502 || isProblem(res))
  if (res.status === 401 && session.value === 'in') session.value = 'out'
  return res
}

/** @param {boolean} well */
function reached(well) {
  if (well) lostSince.value = 0
  else lostSince.value ||= Date.now()
}

/** @param {Response} res */
const isProblem = res => (res.headers.get('Content-Type') ?? '').startsWith('application/problem+json')

/** @param {Response} res */
export async function problemOf(res) {
  const retryAfter = Number(res.headers.get('Retry-After')) || 0
  if (isProblem(res)) {
    const p = await res.json()
    return new Problem({ ...p, detail: sentence(p.detail), retryAfter })
  }
  const detail = res.status >= 502 ? `The server does not answer at the moment (${res.status}).` : `The server answered with ${res.status}.`
  return new Problem({ status: res.status, code: 'internal', detail, retryAfter })
}

/** @param {string} text */
const sentence = text => text.charAt(0).toUpperCase() + text.slice(1) + (/[.!?…)]$/.test(text) ? '' : '.')

/** Asks whether this browser is logged in. */
export async function checkSession() {
  const res = await send('/console/session')
  if (res.status !== 401 && !res.ok) throw await problemOf(res)
  sessionEnds.value = res.ok ? (await res.json()).expires_at : null
  session.value = res.ok ? 'in' : 'out'
}

/** @param {string} token */
export async function logIn(token) {
  await post('/console/session', { token })
  await checkSession()
}

export async function logOut() {
  await call('DELETE', '/console/session')
  session.value = 'out'
}
