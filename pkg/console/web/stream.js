// The events of one execution as an async iterator that loses and doubles none,
// whatever happens to the line. EventSource cannot do this: it gives up for good
// on the first answer that is not 200, such as a 502 during a deploy.
import { problemOf, send, session } from './api.js'
import { effect } from './lib.js'

/** @typedef {import('./types').StreamEvent} StreamEvent */

const silence = 60_000 // without even a comment for that long, the line is dead
const longestWait = 15_000

/**
 * Follows an execution until its end, over cut lines, deploys and rotations. It
 * throws a Problem when the server refuses for good, such as 404.
 * @param {string} id
 * @param {{after?: number, types?: string, tail?: number, signal?: AbortSignal, onState?: (state: 'live'|'waiting', until?: number) => void}} [options]
 *   types: only these, with commas between; after: the cursor; tail: only so many
 *   lines before the end; onState hears whether the line stands, and until when it waits before it tries again.
 * @returns {AsyncGenerator<StreamEvent, void, void>}
 */
export async function* stream(id, { after = 0, types = '', tail = 0, signal, onState = () => {} } = {}) {
  let pause = 1000
  let failures = 0
  let cursor = after
  for (;;) {
    const line = new AbortController()
    const all = signal ? AbortSignal.any([signal, line.signal]) : line.signal
    try {
      const query = new URLSearchParams(cursor || !tail ? { after: String(cursor) } : { tail: String(tail) })
      if (types) query.set('types', types)
      const res = await send(`/execute/stream/${id}?${query}`, { headers: { Accept: 'text/event-stream' }, signal: all })
      if (res.status === 204) return
      // A proxy's page to log in is no stream, though it is 200.
      if (!res.ok || !res.body || !res.headers.get('Content-Type')?.startsWith('text/event-stream')) throw await problemOf(res)
      onState('live')
      for await (const frame of frames(res.body, line)) {
        failures = 0
        if (frame.retry) pause = frame.retry
        if (!frame.id) continue
        cursor = Number(frame.id)
        yield { seq: cursor, type: frame.event, data: JSON.parse(frame.data) }
        if (frame.event === 'end') return
      }
    } catch (err) {
      if (signal?.aborted) return
      const status = /** @type {any} */ (err).status ?? 0
      if (status === 401) await loggedIn(signal)
      else if (status >= 400 && status < 500 && status !== 429) throw err
      failures++
    } finally {
      line.abort() // whoever stops listening closes the line
    }
    // The chance in it keeps a thousand pages from coming back in the same moment.
    const wait = Math.min(pause * 2 ** Math.max(failures - 1, 0), longestWait) * (0.5 + Math.random())
    onState('waiting', Date.now() + wait)
    await sleep(wait, signal)
    if (signal?.aborted) return
  }
}

/**
 * The frames of an event stream (WHATWG HTML, 9.2.6). A frame without its blank
 * line was cut off, and does not count.
 * @param {ReadableStream<Uint8Array>} body
 * @param {AbortController} line
 */
async function* frames(body, line) {
  const reader = body.pipeThrough(/** @type {any} */ (new TextDecoderStream())).getReader()
  let text = ''
  let frame = empty()
  try {
    for (;;) {
      const timer = setTimeout(() => line.abort(), silence)
      const { value, done } = await reader.read()
      clearTimeout(timer)
      if (done) return
      text += value
      const lines = text.split('\n')
      text = /** @type {string} */ (lines.pop())
      for (const l of lines) {
        if (l === '' || l === '\r') {
          yield frame
          frame = empty()
        } else {
          field(frame, l)
        }
      }
    }
  } finally {
    reader.cancel().catch(() => {}) // it may be gone already
  }
}

const empty = () => ({ id: '', event: 'message', data: '', retry: 0 })

/** @param {ReturnType<typeof empty>} frame @param {string} line */
function field(frame, line) {
  const [, name, value] = /** @type {RegExpMatchArray} */ (line.match(/^([^:]*):? ?(.*?)\r?$/))
  if (name === 'retry') frame.retry = Number(value) || 0
  else if (name === 'data') frame.data += (frame.data ? '\n' : '') + value
  else if (name === 'id') frame.id = value
  else if (name === 'event') frame.event = value
}

/** Waits until somebody has logged in again. @param {AbortSignal} [signal] */
function loggedIn(signal) {
  return new Promise(resolve => {
    const stop = effect(() => {
      if (session.value !== 'in') return
      resolve(undefined)
      queueMicrotask(() => stop())
    })
    signal?.addEventListener('abort', () => { stop(); resolve(undefined) }, { once: true })
  })
}

/** @param {number} ms @param {AbortSignal} [signal] */
function sleep(ms, signal) {
  return new Promise(resolve => {
    const timer = setTimeout(resolve, ms)
    signal?.addEventListener('abort', () => { clearTimeout(timer); resolve(undefined) }, { once: true })
  })
}
