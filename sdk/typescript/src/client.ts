import { Backoff, sleep } from "./backoff.js";
import { broken, type Call, Caller, idOf, type Options, pathOf } from "./call.js";
import { LonghaulError, Problem, Unreachable } from "./errors.js";
import { events, Lines, Watchdog } from "./stream.js";
import type { Artifact, Cancelled, CallOptions, Engine, Execution, ExecutionEvent, List, Output, QueueStats, Ref, Started, StartRequest, Worker } from "./types.js";

const LONG_POLL = 60_000; // the most that the server lets wait

/** A request of your own, in which all may be left out that the API does not need. */
export type Start = Partial<StartRequest> & { files?: Record<string, Blob | string | Uint8Array<ArrayBuffer>> };
export interface StartOptions extends CallOptions {
  /** The same key with the same request is the same execution; a random one unless given. */
  idempotencyKey?: string;
}
export interface StreamOptions extends CallOptions {
  /** A cursor: what you have seen already. "end": only what comes from now on. */
  after?: number | "end";
  /** Only these types, and always `gap` and `end`. */
  types?: string[];
}
export interface ListQuery {
  status?: string[];
  engine?: string;
  labels?: Record<string, string>;
  q?: string;
  since?: Date;
  until?: Date;
  worker?: string;
  limit?: number;
  cursor?: string;
  counts?: boolean;
}

/** How an execution ended, what it gave back, which files it left. */
export interface Finished {
  execution: Execution;
  result: unknown;
  artifacts: Artifact[];
}

/** run() ended otherwise than completed. */
export class ExecutionFailed extends LonghaulError {
  override name = "ExecutionFailed";
  readonly finished: Finished;

  constructor(finished: Finished) {
    const { execution_id, status, error_message } = finished.execution;
    super(`${execution_id} is ${status}${error_message ? `: ${error_message}` : ""}`);
    this.finished = finished;
  }
}

/** Calls one server. An aborted call throws its signal's reason; what was started goes on. */
export class Longhaul {
  #caller: Caller;

  constructor(options: Options = {}) {
    this.#caller = new Caller(options);
  }

  /** Starts an execution in the background. A lost answer is asked for again under one key: nothing is started twice. */
  start({ files, ...request }: Start, options: StartOptions = {}): Promise<Started> {
    const json = JSON.stringify(request);
    return this.#begin("/execute/start", files ? form(json, files) : json, options);
  }

  /** Starts it once more, with changes of its spec; its stored environment and input files are taken over. */
  rerun(execution: Ref, changes: Partial<StartRequest> = {}, options: StartOptions = {}): Promise<Started> {
    return this.#begin(pathOf("execute", "rerun", idOf(execution)), JSON.stringify(changes), options);
  }

  #begin(path: string, body: BodyInit, { idempotencyKey = random(), signal }: StartOptions): Promise<Started> {
    const headers = { "Idempotency-Key": idempotencyKey };
    const { timeout, giveUpAfter } = this.#caller; // files may take longer than an answer does
    return this.#caller.call<Started>(path, { method: "POST", body, headers, signal, timeout: typeof body === "string" ? timeout : giveUpAfter }, giveUpAfter);
  }

  /** Starts, waits for the end and gives result and files. With check, an end that is not `completed` throws ExecutionFailed. */
  async run(start: Start, { onEvent, check = true, ...options }: StartOptions & { onEvent?: (event: ExecutionEvent) => unknown; check?: boolean } = {}): Promise<Finished> {
    const started = await this.start(start, options);
    if (onEvent) for await (const event of this.stream(started, { signal: options.signal })) await onEvent(event);
    const execution = await this.wait(started, options);
    const { result, artifacts } = await this.output(started, { limit: 1, signal: options.signal });
    const finished = { execution, result, artifacts };
    if (check && execution.status !== "completed") throw new ExecutionFailed(finished);
    return finished;
  }

  status(execution: Ref, options: CallOptions = {}): Promise<Execution> {
    return this.#get(pathOf("execute", "status", idOf(execution)), options);
  }

  /** What would start it again; values of env are not shown. */
  spec(execution: Ref, options: CallOptions = {}): Promise<StartRequest> {
    return this.#get(pathOf("execute", "spec", idOf(execution)), options);
  }

  /** Waits for the end, over any number of long-polls. */
  async wait(execution: Ref, { signal }: CallOptions = {}): Promise<Execution> {
    const path = pathOf("execute", "status", idOf(execution));
    const tries = new Backoff(this.#caller.giveUpAfter);
    for (;;) {
      try {
        const now = await this.#caller.once<Execution>(path, { query: { wait: "60s" }, timeout: LONG_POLL + this.#caller.timeout, signal });
        if (ended(now.status)) return now;
        tries.reset();
        await sleep(250, signal); // a server that drains answers at once
      } catch (error) {
        await tries.pause(error, signal);
      }
    }
  }

  /** The events, each once and in order, until `end`, over cut lines, deploys and rotation. */
  async *stream(execution: Ref, { after = 0, types = [], signal }: StreamOptions = {}): AsyncGenerator<ExecutionEvent, void, undefined> {
    const id = idOf(execution);
    const from = after === "end" ? (await this.status(id, { signal })).last_event : after;
    yield* events(this.#caller, id, from, types, signal);
  }

  /** The log line by line as it comes, until the end. A line says where events are no longer kept. */
  async *logs(execution: Ref, { stream, signal }: CallOptions & { stream?: "stdout" | "stderr" } = {}): AsyncGenerator<string, void, undefined> {
    const lines = new Lines();
    for await (const event of this.stream(execution, { types: ["log"], signal })) {
      if (event.type === "gap") yield `[longhaul: events ${event.data["from"]} to ${event.data["to"]} are gone: ${event.data["reason"]}]`;
      if (event.type === "log" && (!stream || event.data["stream"] === stream)) yield* lines.feed(event);
    }
    yield* lines.rest();
  }

  /** One page of events, with the result and the files. */
  output(execution: Ref, { signal, ...query }: CallOptions & { after?: number; limit?: number; stream?: string } = {}): Promise<Output> {
    return this.#get(pathOf("execute", "output", idOf(execution)), { query, signal });
  }

  /** One page of executions, newest first. */
  list({ status, labels, since, until, ...rest }: ListQuery = {}, { signal }: CallOptions = {}): Promise<List> {
    const label = Object.entries(labels ?? {}).map(([key, value]) => `${key}=${value}`);
    const query = { ...rest, status: status?.join(","), label, since: since?.toISOString(), until: until?.toISOString() };
    return this.#get("/execute/list", { query, signal });
  }

  /** Stops it, and waits up to `wait` seconds for the proof that nothing of it is left; with `force` it is killed without its grace. One that had ended otherwise is a Problem of code conflict. */
  cancel(execution: Ref, { wait = 0, force = false, signal }: CallOptions & { wait?: number; force?: boolean } = {}): Promise<Cancelled> {
    const query = { wait: wait ? `${Math.round(wait * 1000)}ms` : undefined, force: force || undefined };
    return this.#caller.call(pathOf("execute", "cancel", idOf(execution)), { method: "POST", query, timeout: this.#caller.timeout + wait * 1000, signal });
  }

  async artifacts(execution: Ref, options: CallOptions = {}): Promise<Artifact[]> {
    return (await this.#get<{ artifacts: Artifact[] }>(pathOf("outputs", idOf(execution)), options)).artifacts;
  }

  /** A file that it left, taken up where a cut line left it. */
  async download(execution: Ref, artifact: string | Artifact, { signal }: CallOptions = {}): Promise<Blob> {
    // The size is asked for: Chromium takes an answer whose head was cut off for one without a length.
    const file = typeof artifact === "string" ? (await this.artifacts(execution, { signal })).find((a) => a.path === artifact) : artifact;
    if (!file) throw new Problem(404, { code: "not_found", detail: "the execution has no such file" });
    const path = pathOf("outputs", idOf(execution), file.path);
    const tries = new Backoff(this.#caller.giveUpAfter);
    const parts: Uint8Array<ArrayBuffer>[] = [];
    let have = 0;
    while (have < file.size) {
      const line = new Watchdog(this.#caller.silence, signal);
      try {
        line.watch();
        const response = await this.#caller.open(path, { accept: "*/*", headers: have ? { Range: `bytes=${have}-` } : {}, signal: line.signal });
        if (response.status !== 206) parts.length = have = 0; // a proxy that knows no ranges sends it from the beginning
        const reader = response.body?.getReader();
        for (;;) {
          line.watch();
          const piece = await broken(line.signal, async () => reader?.read());
          if (!piece?.value) break;
          parts.push(piece.value as Uint8Array<ArrayBuffer>);
          have += piece.value.length;
          tries.reset();
        }
        if (have < file.size) throw new Unreachable("the connection was cut in the middle of a file");
      } catch (error) {
        await tries.pause(error, signal);
      } finally {
        line.close();
      }
    }
    return new Blob(parts, { type: file.content_type });
  }

  /** What the catalog lets callers start. */
  async engines(options: CallOptions = {}): Promise<Engine[]> {
    return (await this.#get<{ engines: Engine[] }>("/engines", options)).engines;
  }

  /** The workers, and what they run. */
  async workers(options: CallOptions = {}): Promise<Worker[]> {
    return (await this.#get<{ workers: Worker[] }>("/workers", options)).workers;
  }

  /** What waits and runs, and how many workers that wants. */
  queue(options: CallOptions = {}): Promise<QueueStats> {
    return this.#get("/queue/stats", options);
  }

  #get<T>(path: string, call: Call): Promise<T> {
    return this.#caller.call<T>(path, call);
  }
}

/** Says whether a status is final and will not change. */
export function ended(status: string): boolean {
  return ["completed", "failed", "timeout", "cancelled", "error"].includes(status);
}

function form(request: string, files: NonNullable<Start["files"]>): FormData {
  const data = new FormData();
  data.append("request", request);
  for (const [path, file] of Object.entries(files)) data.append("files", file instanceof Blob ? file : new Blob([file]), path);
  return data;
}

function random(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, "0")).join("");
}
