import { Backoff, sleep } from "./backoff.js";
import { broken, type Caller, pathOf } from "./call.js";
import { Unreachable } from "./errors.js";
import { type Frame, Parser } from "./sse.js";
import type { ExecutionEvent } from "./types.js";

const LEAST_RETRY = 100; // keeps a server that says 0 from being asked in a tight loop

/** Gives the events after a cursor, each once and in order, over cut lines, deploys and rotation, until `end`. */
export async function* events(caller: Caller, id: string, after: number, types: string[], signal?: AbortSignal): AsyncGenerator<ExecutionEvent, void, undefined> {
  const tries = new Backoff(caller.giveUpAfter);
  for (;;) {
    const line = new Line(caller, signal);
    try {
      for await (const frame of line.frames(pathOf("execute", "stream", id), after, types)) {
        const event = eventOf(frame);
        if (!event || event.seq <= after) continue;
        after = event.seq;
        tries.reset();
        line.rest(); // the consumer may take its time: that is not the server's silence
        yield event;
        line.watch();
        if (event.type === "end") return;
      }
      if (line.done) return;
      tries.reset();
      const pause = Math.max(line.retry, LEAST_RETRY);
      await sleep(pause / 2 + (Math.random() * pause) / 2, signal);
    } catch (error) {
      await tries.pause(error, signal);
    } finally {
      line.close();
    }
  }
}

/** Ends a request on whose line nothing has come for too long. */
export class Watchdog {
  readonly signal: AbortSignal;
  #silence: number;
  #abort = new AbortController();
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(silence: number, signal?: AbortSignal) {
    this.#silence = silence;
    this.signal = signal ? AbortSignal.any([signal, this.#abort.signal]) : this.#abort.signal;
  }

  watch(): void {
    this.rest();
    this.#timer = setTimeout(() => this.#abort.abort(new Unreachable("the line is silent: not even keep-alives come")), this.#silence);
  }

  rest(): void {
    clearTimeout(this.#timer);
  }

  close(): void {
    this.rest();
    this.#abort.abort();
  }
}

/** One connection of a stream. */
class Line extends Watchdog {
  /** The server said that there is nothing more. */
  done = false;
  #caller: Caller;
  #parser = new Parser();

  constructor(caller: Caller, signal?: AbortSignal) {
    super(caller.silence, signal);
    this.#caller = caller;
  }

  get retry(): number {
    return this.#parser.retry;
  }

  async *frames(path: string, after: number, types: string[]): AsyncGenerator<Frame, void, undefined> {
    this.watch();
    const query = { after, types: types.length ? types.join(",") : undefined };
    const response = await this.#caller.open(path, { query, accept: "text/event-stream", signal: this.signal });
    this.done = response.status === 204;
    if (this.done || !response.body) return;
    // Such as a proxy's page to log in: its end would be taken for a rotation, again and again.
    if (!response.headers.get("Content-Type")?.startsWith("text/event-stream")) throw new Unreachable("the answer is no event stream: is the url that of Longhaul's API?");
    const reader = response.body.getReader();
    const decoder = new TextDecoder();
    for (;;) {
      this.watch();
      const { done, value } = await broken(this.signal, () => reader.read());
      if (done) return;
      yield* this.#parser.feed(decoder.decode(value, { stream: true }));
    }
  }
}

/** Reads a frame. Those without a number are none of the log. */
function eventOf(frame: Frame): ExecutionEvent | undefined {
  const number = frame.id.slice(frame.id.lastIndexOf(":") + 1);
  if (!/^[1-9]\d*$/.test(number)) return undefined;
  try {
    return { seq: Number(number), type: frame.event, data: JSON.parse(frame.data) as Record<string, unknown> };
  } catch {
    return undefined;
  }
}

/** Joins chunks, which may end anywhere, to lines: each of stdout and stderr for itself. */
export class Lines {
  #decoders = new Map<string, TextDecoder>();
  #begun = new Map<string, string>();

  *feed(event: ExecutionEvent): Generator<string> {
    const stream = String(event.data["stream"]);
    const decoder = this.#decoders.get(stream) ?? new TextDecoder();
    this.#decoders.set(stream, decoder);
    const lines = ((this.#begun.get(stream) ?? "") + decoder.decode(chunkOf(event), { stream: true })).split("\n");
    this.#begun.set(stream, lines.pop() ?? "");
    for (const line of lines) yield line.replace(/\r$/, "");
  }

  *rest(): Generator<string> {
    for (const line of this.#begun.values()) if (line) yield line;
  }
}

/** Of a log event: exactly the bytes that the engine wrote. */
export function chunkOf(event: ExecutionEvent): Uint8Array<ArrayBuffer> {
  const { text, base64 } = event.data;
  if (typeof base64 === "string") return Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
  return new TextEncoder().encode(typeof text === "string" ? text : "") as Uint8Array<ArrayBuffer>;
}
