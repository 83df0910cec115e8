// Numbers as people read them.

/**
 * A duration: 850 ms, 4.2 s, 3 min 20 s, 2 h 05 min, 3 d 4 h.
 * @param {number|null|undefined} seconds
 */
export function duration(seconds) {
  if (seconds == null || !isFinite(seconds)) return '–'
  if (seconds < 0) seconds = 0
  if (seconds < 0.9995) return `${Math.round(seconds * 1000)} ms`
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`
  const s = Math.round(seconds)
  if (s < 60) return `${s} s`
  if (s < 3600) return `${Math.floor(s / 60)} min ${pad(s % 60)} s`
  const m = Math.floor(s / 60)
  if (m < 24 * 60) return `${Math.floor(m / 60)} h ${pad(m % 60)} min`
  return `${Math.floor(m / 1440)} d ${Math.floor(m / 60) % 24} h`
}

/** @param {number} n */
const pad = n => String(n).padStart(2, '0')

/**
 * How long something has run or waited: whole seconds, so that it ticks calmly.
 * @param {number} ms
 */
export const elapsed = ms => duration(ms < 60_000 ? Math.max(0, Math.floor(ms / 1000)) || 0 : ms / 1000).replace(/^0 ms$/, '0 s').replace(/\.0 s$/, ' s')

/**
 * A size: 812 B, 4.2 kB, 130 MB.
 * @param {number|null|undefined} n
 */
export function bytes(n) {
  if (n == null) return '–'
  const units = ['B', 'kB', 'MB', 'GB', 'TB']
  let i = 0
  while (n >= 999.5 && i < units.length - 1) { n /= 1000; i++ }
  return `${i && n < 9.95 ? n.toFixed(1) : Math.round(n)} ${units[i]}`
}

/**
 * How long ago: just now, 40 s ago, 5 min ago, then the date.
 * @param {string} at @param {number} now
 */
export function ago(at, now) {
  const s = (now - Date.parse(at)) / 1000
  if (s < 5) return 'just now'
  if (s < 60) return `${Math.floor(s)} s ago`
  if (s < 3600) return `${Math.floor(s / 60)} min ago`
  if (s < 86400) return `${Math.floor(s / 3600)} h ago`
  return date(at)
}

/** @param {string|number} at A date and time of this place. */
export const date = at => new Date(at).toLocaleString(undefined, { dateStyle: 'medium', timeStyle: 'short' })

/** @param {string|number} at The time of day, to the second. */
export const clock = at => new Date(at).toLocaleTimeString(undefined, { hour12: false })

/**
 * 1 worker, 2 workers.
 * @param {number} n @param {string} one @param {string} [many]
 */
export const count = (n, one, many = one + 's') => `${n.toLocaleString()} ${n === 1 ? one : many}`

/**
 * What an execution runs, as one would type it.
 * @param {{command: string|null, args: string[], engine: string|null}} e
 */
export const commandLine = e => [e.command ?? e.engine ?? '', ...e.args.map(quote)].join(' ')

/** @param {string} arg */
export const quote = arg => (/^[\w@%+=:,./-]+$/.test(arg) ? arg : `'${arg.replaceAll("'", `'\\''`)}'`)
