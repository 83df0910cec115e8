import type { ProblemBody } from "./types.js";

/** Whatever this package throws on purpose. An aborted call throws the signal's reason instead. */
export class LonghaulError extends Error {
  override name = "LonghaulError";
}

/** The server did not answer, or the line broke. */
export class Unreachable extends LonghaulError {
  override name = "Unreachable";
}

/** An answer of 400 and up (RFC 9457). `code` is for programs and stays, `detail` is for people. */
export class Problem extends LonghaulError {
  override name = "Problem";
  readonly status: number;
  readonly code: string;
  readonly title: string;
  readonly detail: string;
  readonly requestId: string;
  readonly errors: NonNullable<ProblemBody["errors"]>;
  readonly executionStatus: string | undefined;
  /** Seconds, as the server says. */
  readonly retryAfter: number;

  constructor(status: number, body: Partial<ProblemBody>, retryAfter = 0) {
    const errors = body.errors ?? [];
    super([body.detail ?? "", ...errors.map((e) => `${e.location} ${e.message}`)].join("; "));
    this.status = status;
    this.code = body.code ?? "";
    this.title = body.title ?? "";
    this.detail = body.detail ?? "";
    this.requestId = body.request_id ?? "";
    this.executionStatus = body.execution_status;
    this.errors = errors;
    this.retryAfter = retryAfter;
  }
}

// What a proxy on the way answers has no code; this one is guessed.
const CODES: Record<number, string> = { 401: "unauthorized", 403: "forbidden", 404: "not_found", 409: "conflict", 413: "too_large", 429: "queue_full" };

/** Makes an error of an answer, also of one that no server of ours wrote. */
export async function problemOf(response: Response): Promise<Problem> {
  const { status } = response;
  const retryAfter = Number(response.headers.get("Retry-After")) || 0;
  // One that is cut off throws, and is asked for again: it would not say what is wrong.
  const text = await response.text();
  if (response.headers.get("Content-Type")?.startsWith("application/problem+json")) {
    try {
      const body = JSON.parse(text) as ProblemBody | null;
      if (body?.code) return new Problem(status, body, retryAfter);
    } catch {
      // not ours
    }
  }
  const code = CODES[status] ?? (status >= 500 ? "unavailable" : "invalid");
  return new Problem(status, { code, detail: `the server, or a proxy before it, answered ${status}` }, retryAfter);
}

/** Says whether the same request may succeed later. */
export function passes(error: unknown): boolean {
  if (error instanceof Problem) return error.status >= 500 || error.status === 408 || error.status === 429;
  return error instanceof Unreachable;
}
