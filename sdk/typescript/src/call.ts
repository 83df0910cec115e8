import { Backoff } from "./backoff.js";
import { LonghaulError, Problem, problemOf, Unreachable } from "./errors.js";
import type { Ref } from "./types.js";

export interface Options {
  /** Such as https://longhaul.example.com; in a page, its own server unless given. */
  url?: string;
  /** None where the server is open, or where the page has a session. */
  token?: string;
  /** Milliseconds for one request without files; also how long a plain call is tried again: 30 s. */
  timeout?: number;
  /** How long start, wait, stream, run and download go on against a server that is away: 5 minutes. */
  giveUpAfter?: number;
  /** How long a stream or a download may be without a byte, keep-alives included, until it is taken for dead: 1 minute. */
  silence?: number;
  fetch?: typeof globalThis.fetch;
}

export interface Call {
  method?: string;
  query?: Record<string, string | number | boolean | string[] | undefined>;
  body?: BodyInit | undefined;
  headers?: Record<string, string>;
  accept?: string;
  timeout?: number;
  signal?: AbortSignal | undefined;
}

/** One call of the API: headers, JSON, problems, and trying again. */
export class Caller {
  readonly base: string;
  readonly timeout: number;
  readonly giveUpAfter: number;
  readonly silence: number;
  #token: string | undefined;
  #fetch: typeof globalThis.fetch;

  constructor(o: Options) {
    const url = o.url ?? (globalThis as { location?: { origin?: string } }).location?.origin;
    if (!url || !/^https?:\/\/[^/]/.test(url)) throw new LonghaulError("the server's url must look like http://localhost:8080");
    this.base = url.replace(/\/+$/, "");
    this.timeout = o.timeout ?? 30_000;
    this.giveUpAfter = o.giveUpAfter ?? 300_000;
    this.silence = o.silence ?? 60_000;
    this.#token = o.token;
    this.#fetch = o.fetch ?? globalThis.fetch.bind(globalThis);
  }

  /** Sends one request whose end is signal's: the body may take as long as it likes. */
  async open(path: string, call: Call): Promise<Response> {
    const url = new URL(this.base + path);
    for (const [name, value] of Object.entries(call.query ?? {})) {
      for (const v of Array.isArray(value) ? value : value === undefined ? [] : [String(value)]) url.searchParams.append(name, v);
    }
    const headers = new Headers({ Accept: call.accept ?? "application/json", ...call.headers });
    if (this.#token) headers.set("Authorization", `Bearer ${this.#token}`);
    if (typeof call.body === "string") headers.set("Content-Type", "application/json");
    const response = await broken(call.signal, () =>
      this.#fetch(url, { method: call.method ?? "GET", headers, body: call.body ?? null, signal: call.signal ?? null, cache: "no-store" }),
    );
    if (!response.ok) throw await broken(call.signal, () => problemOf(response));
    return response;
  }

  /** Sends one request and reads JSON, within the timeout. */
  async once<T>(path: string, call: Call): Promise<T> {
    const late = AbortSignal.timeout(call.timeout ?? this.timeout);
    const signal = call.signal ? AbortSignal.any([call.signal, late]) : late;
    try {
      const response = await this.open(path, { ...call, signal });
      return await broken(signal, async () => (await response.json()) as T);
    } catch (error) {
      if (late.aborted && !call.signal?.aborted) throw new Unreachable(`${this.base} took too long to answer`);
      throw error;
    }
  }

  /** Sends a request that may be repeated until it is answered. */
  async call<T>(path: string, call: Call, giveUpAfter = this.timeout): Promise<T> {
    const tries = new Backoff(giveUpAfter);
    for (;;) {
      try {
        return await this.once<T>(path, call);
      } catch (error) {
        // A full line and a full store are for the caller to know at once.
        if (error instanceof Problem && (error.code === "queue_full" || error.code === "storage_full")) throw error;
        await tries.pause(error, call.signal);
      }
    }
  }
}

/** Turns what fetch throws into Unreachable, but for an abort, which stays the signal's reason. */
export async function broken<T>(signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    signal?.throwIfAborted();
    const cause = (error as { cause?: Error }).cause?.message;
    throw new Unreachable(`${(error as Error).message}${cause ? `: ${cause}` : ""}`, { cause: error });
  }
}

export function pathOf(...parts: string[]): string {
  return "/" + parts.map((part) => part.split("/").map(encodeURIComponent).join("/")).join("/");
}

export function idOf(execution: Ref): string {
  const id = typeof execution === "string" ? execution : execution.execution_id;
  if (!id || id.includes("/")) throw new LonghaulError("an execution is named by its id, such as exec_1762548673499_vqx7d3cpo");
  return id;
}
