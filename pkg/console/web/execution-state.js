// One execution as the page knows it: its record, asked for now and then, and what
// its events add at once. There is one stream for everything on the page.
import { get } from './api.js'
import { signal } from './lib.js'
import { stream } from './stream.js'

/** @typedef {import('./types').StreamEvent} StreamEvent */
/** @typedef {{name: string, status: string, message: string, since: number, until: number, first: number}} Agent */
/** @typedef {{time: number, cpu: number, memory: number, processes: number}} Sample */

const board = 'progress,agent,metrics,artifact'
const over = /^(completed|done|failed|error|cancelled|finished|ok|success|skipped)$/i
const most = 720 // samples that are kept: an hour at one in five seconds

/** @param {string} id */
export class Following {
  /** @param {string} id */
  constructor(id) {
    this.id = id
    this.line = signal(/** @type {{state: string, until?: number}} */ ({ state: 'live' }))
    this.agents = signal(/** @type {Agent[]} */ ([]))
    this.samples = signal(/** @type {Sample[]} */ ([]))
    this.progress = signal(/** @type {any} */ (null))
    this.files = signal(0)
    this.end = signal(/** @type {any} */ (null))
    this.error = signal(/** @type {Error|null} */ (null))
    this.queue = signal('')
    /** Called when the record has changed on the server. */
    this.stale = () => {}
    this.stop = new AbortController()
    this.began = this.logTime = 0
    this.seen = 0 // newest event that the board knows
  }

  close() {
    this.stop.abort()
  }

  /**
   * Reads all events and then what comes. sink gets each, in order.
   * @param {(e: StreamEvent) => void} sink
   */
  async run(sink) {
    const { signal } = this.stop
    try {
      await this.history()
      this.began = Date.now()
      for await (const e of stream(this.id, { signal, onState: (state, until) => { this.line.value = { state, until } } })) {
        sink(e)
        if (e.type === 'log') this.logTime = Date.parse(e.data.time)
        else this.take(e)
      }
    } catch (err) {
      if (!signal.aborted) this.error.value = /** @type {Error} */ (err)
    }
  }

  // history reads what the board shows with the times of the events, which the
  // stream does not have. A server that does not know types= sends all kinds.
  async history() {
    let after = 0
    for (let more = true; more; ) {
      const page = await get(`/execute/output/${this.id}?types=${board}&after=${after}&limit=5000`, { signal: this.stop.signal })
      if (page.events.some((/** @type {any} */ e) => !board.includes(e.type))) return
      for (const e of page.events) this.take(e)
      after = page.next_after
      more = page.more
    }
    this.seen = after
  }

  /** @param {StreamEvent & {time?: string}} e */
  take(e) {
    if (e.type === 'status' || e.type === 'end') this.status(e)
    if (e.seq <= this.seen) return
    const { data } = e
    // Without a time of its own an event is as old as the log around it, or as now.
    const time = e.time ? Date.parse(e.time) : this.logTime && Date.now() - this.began < 2000 ? this.logTime : Date.now()
    if (e.type === 'progress') this.progress.value = data
    else if (e.type === 'artifact') this.files.value++
    else if (e.type === 'agent') this.agent(data, time, e.seq)
    else if (e.type === 'metrics') {
      const sample = { time, cpu: data.cpu_percent, memory: data.memory_bytes, processes: data.processes }
      this.samples.value = [...this.samples.value, sample].slice(-most)
    }
  }

  /** @param {StreamEvent} e */
  status({ type, data }) {
    if (data.queue) this.queue.value = data.queue
    if (data.status === 'running' && data.attempt > 1) this.agents.value = []
    if (type === 'end') {
      this.end.value = data
      const until = Date.parse(data.group_empty_at) || Date.now()
      this.agents.value = this.agents.value.map(a => (a.until ? a : { ...a, until }))
    }
    this.stale()
  }

  /** @param {any} data @param {number} time @param {number} seq */
  agent(data, time, seq) {
    const name = String(data.name ?? 'agent')
    const status = String(data.status ?? '')
    const message = String(data.message ?? '')
    const old = this.agents.value.find(a => a.name === name)
    const until = over.test(status) ? time : 0
    // One that begins again counts its time anew.
    const since = old && !(old.until && !until) ? old.since : time
    const next = { name, status, message: message || (status === old?.status ? old.message : ''), since, until, first: old?.first ?? seq }
    this.agents.value = old ? this.agents.value.map(a => (a === old ? next : a)) : [...this.agents.value, next]
  }
}
