// How an execution ended, in plain words: who or what ended it, and which setting
// to change so that the next one ends otherwise. There are words for every reason
// of package execution; a test walks them.
import { bytes, duration } from './format.js'

/** @typedef {import('./types').Execution} Execution */
/** @typedef {{what: (e: Execution) => string, change?: (e: Execution) => [string, string][]}} Words  change: the setting, and what to do with it */

const memory = /** @type {[string, string][]} */ ([
  ['the memory of the worker’s container', 'Give it more: all engines of a worker share it.'],
  ['MAX_CONCURRENT', 'Lower it, so that fewer engines share that memory.'],
  ['limits.address_space in engines.yaml', 'Bound what one engine may take, so that it fails with its own words instead.'],
])
const runAgain = /** @type {[string, string][]} */ ([
  ['on_interrupt: requeue', 'With max_attempts above 1 it runs again by itself, here or on another worker. Only for engines that bear to run twice.'],
  ['EXECUTION_CHECKPOINT_DIR', 'What the engine keeps there is there again in the next attempt, so it goes on where it stopped.'],
])

const codes = /** @type {Record<number, string>} */ ({
  2: 'Many programs mean by 2 that their arguments are wrong.',
  126: 'By 126 a shell means that a program is there, but may not be run.',
  127: 'By 127 a shell means that a program was not found: look at PATH, and at the image of the worker.',
  137: 'By 137 a shell means that what it ran was killed by SIGKILL: most often for want of memory.',
  139: 'By 139 a shell means that what it ran crashed (SIGSEGV).',
  143: 'By 143 a shell means that what it ran was ended by SIGTERM.'
})

const signals = /** @type {Record<string, {what: string, change: [string, string][]}>} */ ({
  SIGKILL: { what: 'Longhaul did not send it. Most often the machine had run out of memory.', change: memory },
  SIGSEGV: { what: 'It touched memory that is not its own: a fault in native code, of the program or of a library.', change: [] },
  SIGABRT: { what: 'It gave up by itself, as native code does when a check fails.', change: [] },
  SIGXCPU: { what: 'It used more CPU time than it may.', change: [['limits.cpu_seconds in engines.yaml', 'Raise it.']] },
  SIGXFSZ: { what: 'It wrote a file larger than it may.', change: [['limits.file_size in engines.yaml', 'Raise it.']] },
  SIGTERM: { what: 'Something on the worker’s machine sent it, not Longhaul.', change: [] }
})

/** @type {Record<string, Words>} */
export const reasons = {
  exited: { what: () => 'It came to its end by itself, with exit code 0.' },
  exit_code: {
    what: e => `The program ended itself with exit code ${e.exit_code}. ${codes[e.exit_code ?? 0] ?? ''}`,
    change: () => [['the program', 'The cause is in it: what it wrote last most often says which.']]
  },
  signal: {
    what: e => `The program was killed by ${e.signal}. ${signals[e.signal ?? '']?.what ?? 'Longhaul did not send it.'}`,
    change: e => signals[e.signal ?? '']?.change ?? []
  },
  out_of_memory: {
    what: e => `The machine ran out of memory, and the kernel killed the program${e.peak_memory_bytes ? `, which had taken up to ${bytes(e.peak_memory_bytes)}` : ''}.`,
    change: () => memory
  },
  timeout: {
    what: e => `It ran for longer than the ${duration(e.timeout_seconds)} that it was given, so Longhaul ended it.`,
    change: () => [
      ['timeout_seconds', 'Ask for more when you start it.'],
      ['timeout and max_timeout in engines.yaml', 'What this engine gets, and the most that a request may ask for.'],
      ['MAX_EXECUTION_DURATION', 'The limit for all.']
    ]
  },
  no_progress: {
    what: () => 'It told of no progress for longer than it may, so Longhaul took it for stuck and ended it.',
    change: () => [
      ['progress_timeout in engines.yaml', 'Raise it, or leave it out.'],
      ['the program', 'Let it write a progress event to file 3 (EXECUTION_EVENTS_FD) now and then.']
    ]
  },
  queue_timeout: {
    what: () => 'It waited in line for longer than it may. It never ran.',
    change: () => [
      ['more workers, or MAX_CONCURRENT', 'The line is longer than the workers can serve: the page Queue shows it.'],
      ['queue_timeout_seconds', 'Let it wait longer.'],
      ['queue: critical', 'Let it stand in the line that is served first.']
    ]
  },
  cancelled: { what: e => `Somebody asked to stop it${e.started_at ? '' : ' while it was in line: it never ran'}.` },
  start_failed: {
    what: () => 'The program could not be started: not a line of it ran.',
    change: () => [
      ['command, cwd and secrets in engines.yaml', 'The program, its folder and its secrets must be there on the worker.'],
      ['the image of the worker', 'What engines need is installed there.']
    ]
  },
  engine_unknown: {
    what: () => 'The worker that took it does not know this engine.',
    change: () => [['ENGINES_FILE', 'API and workers must read the same catalog: deploy both from the same version.']]
  },
  interrupted: {
    what: () => 'The worker was told to stop, by a deploy or a restart, before the program had finished.',
    change: () => [...runAgain, ['DRAIN_TIMEOUT', 'Give engines more time to finish before a worker stops; the platform’s own limit must be longer.']]
  },
  worker_lost: {
    what: e => `The worker${e.worker ? ` ${e.worker}` : ''} was not heard of any more: it was killed, its machine failed, or its network did.`,
    change: () => [...runAgain, ['the memory of the worker’s container', 'Look whether the platform killed it: its log and the metrics tell.']]
  },
  supervisor_lost: {
    what: () => 'The process that watches the program was killed from outside, most often for want of memory. The program was ended with it.',
    change: () => [...memory, ...runAgain.slice(0, 1)]
  },
  internal: {
    what: () => 'This is a defect of Longhaul. Your program is not to blame.',
    change: () => [['the log of the worker', 'It has the cause under this id. Please report it.']]
  }
}

// Messages that say what our words say already.
const told = /^(exited with code \d+|died of SIG\w+|killed by SIGKILL, [^;]*|cancelled on request|ran past its timeout of [^;]*; raise timeout_seconds [^;]*)$/

/**
 * @param {Execution} e
 * @returns {{what: string, change: [string, string][], message: string}}
 */
export function explain(e) {
  const words = reasons[e.reason ?? ''] ?? { what: () => 'It has ended.' }
  // Behind that the message has the last lines, which the page shows from the log.
  const [message] = (e.error_message ?? '').split('; its last lines:\n')
  return { what: words.what(e).trim(), change: words.change?.(e) ?? [], message: told.test(message) ? '' : message }
}

/**
 * The receipt of a stop: what was done, when, and how long after the one before.
 * @param {Execution} e
 * @param {any} end data of the end event
 * @returns {{what: string, at: string, after: string}[]}
 */
export function receipt(e, end) {
  const steps = [
    [e.reason === 'cancelled' ? 'Stop requested' : '', e.cancel_requested_at],
    ['SIGTERM sent to the program', end?.signal_sent_at],
    [e.started_at ? 'Proved: no process of it is left' : 'Taken out of the line', e.started_at ? end?.group_empty_at : e.completed_at]
  ].filter(([what, at]) => what && at)
  if (steps.length < 2) return []
  return steps.map(([what, at], i) => ({ what, at, after: i ? '+' + duration((Date.parse(at) - Date.parse(steps[i - 1][1])) / 1000) : '' }))
}
