// Data that is asked for again and again while somebody looks at it.
import { get, session } from './api.js'
import { useEffect, useRef, useState } from './lib.js'

/**
 * Reads a path now and every few seconds while the page is visible. The last answer
 * stays while a later one fails; with keep also while the first of another path comes.
 * @template T
 * @param {string} path '' reads nothing
 * @param {number} [every] milliseconds; 0: once
 * @param {{keep?: boolean}} [options]
 * @returns {{data: T|null, error: Error|null, stale: boolean, refresh: () => void}}
 *   data is null until the first answer; stale: it is another path's
 */
export function usePoll(path, every = 2000, { keep = false } = {}) {
  const [state, set] = useState({ path: '', data: /** @type {T|null} */ (null), error: /** @type {Error|null} */ (null) })
  const refresh = useRef(() => {})
  const loggedIn = session.value === 'in'
  useEffect(() => {
    if (!path || !loggedIn) return
    const stop = new AbortController()
    let timer = 0
    const read = async () => {
      clearTimeout(timer)
      try {
        const data = await get(path, { signal: stop.signal })
        set({ path, data: /** @type {T} */ (data), error: null })
      } catch (err) {
        if (stop.signal.aborted) return
        set(s => ({ ...s, ...(s.path === path ? {} : { path, data: keep ? s.data : null }), error: /** @type {Error} */ (err) }))
      }
      clearTimeout(timer)
      if (every && !document.hidden && !stop.signal.aborted) timer = setTimeout(read, every)
    }
    const seen = () => { if (!document.hidden && every) read() }
    document.addEventListener('visibilitychange', seen)
    refresh.current = read
    read()
    return () => {
      stop.abort()
      clearTimeout(timer)
      document.removeEventListener('visibilitychange', seen)
    }
  }, [path, every, loggedIn])
  const mine = state.path === path
  return { data: mine || keep ? state.data : null, error: mine ? state.error : null, stale: !mine, refresh: () => refresh.current() }
}
