// One execution as the page knows it: its record, asked for now and then, and what
// its events add at once. There is one stream for everything on the page.
import { get } from './api.js'
import { signal } from './lib.js'
import { stream } from './stream.js'

/** @typedef {import('./types').StreamEvent} StreamEvent */
/** @typedef {{name: string, status: string, message: string, since: number, until: number, seq: number}} Agent */
/** @typedef {{time: number, cpu: number, memory: number, processes: number}} Sample */

const board = 'progress,agent,metrics'
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
    this.end = signal(/** @type {any} */ (null))
    this.error = signal(/** @type {Error|null} */ (null))
    this.queue = signal('')
    /** Called when the record has changed on the server. */
    this.stale = () => {}
    this.stop = new AbortController()
    this.began = this.logTime = 0
    this.seen = 0 // newest event that the board knows
    this.waiting = /** @type {StreamEvent[]|null} */ ([]) // for what the board has to learn first
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
      this.began = Date.now()
      this.history().catch(() => {}).then(() => {
        const late = this.waiting ?? []
        this.waiting = null
        for (const e of late) this.tell(e)
      })
      for await (const e of stream(this.id, { signal, onState: (state, until) => { this.line.value = { state, until } } })) {
        sink(e)
        if (e.type === 'log') this.logTime = Date.parse(e.data.time)
        else if (e.type === 'status' || e.type === 'end') this.status(e)
        else if (this.waiting) this.waiting.push(e)
        else this.tell(e)
      }
    } catch (err) {
      if (!signal.aborted) this.error.value = /** @type {Error} */ (err)
    }
  }

  // history reads what the board shows with the times of the events, which the
  // stream does not have.
  async history() {
    for (let more = true, after = 0; more; ) {
      const page = await get(`/execute/output/${this.id}?types=${board}&after=${after}&limit=5000`, { signal: this.stop.signal })
      if (page.events.some((/** @type {any} */ e) => e.type === 'log')) return // an older server, which sends all
      for (const e of page.events) this.tell(e)
      after = this.seen = page.next_after
      more = page.more
    }
  }

  /** @param {StreamEvent & {time?: string}} e */
  tell({ seq, type, data, time: at }) {
    if (seq <= this.seen) return
    // Without a time of its own an event is as old as the log around it, or as now.
    const time = at ? Date.parse(at) : this.logTime && Date.now() - this.began < 2000 ? this.logTime : Date.now()
    if (type === 'progress') this.progress.value = data
    else if (type === 'agent') this.agent(data, time, seq)
    else if (type === 'metrics') {
      const sample = { time, cpu: data.cpu_percent, memory: data.memory_bytes, processes: data.processes }
      this.samples.value = [...this.samples.value, sample].slice(-most)
    }
  }

  /** @param {StreamEvent} e */
  status({ seq, type, data }) {
    if (data.queue) this.queue.value = data.queue
    // Agents of earlier attempts are gone.
    if (data.status === 'running') this.agents.value = this.agents.value.filter(a => a.seq > seq)
    if (type === 'end') this.end.value = data
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
    const next = { name, status, message: message || (status === old?.status ? old.message : ''), since, until, seq }
    this.agents.value = old ? this.agents.value.map(a => (a === old ? next : a)) : [...this.agents.value, next]
  }
}
