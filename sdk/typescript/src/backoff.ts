import { passes, Problem } from "./errors.js";

const FIRST = 250;
const LONGEST = 15_000;

/**
 * Spaces the tries of one call, in milliseconds. Pauses are random up to a bound that doubles, so that clients that a
 * deploy has cut do not come back as one.
 */
export class Backoff {
  #giveUpAfter: number;
  #since: number | undefined;
  #bound = 0;

  constructor(giveUpAfter: number) {
    this.#giveUpAfter = giveUpAfter;
  }

  /** Notes a success. */
  reset(): void {
    this.#since = undefined;
    this.#bound = 0;
  }

  /** Pauses after error, or throws it where trying on is vain. */
  async pause(error: unknown, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    this.#since ??= Date.now();
    if (!passes(error) || Date.now() - this.#since >= this.#giveUpAfter) throw error;
    this.#bound = Math.min(Math.max(2 * this.#bound, FIRST), LONGEST);
    const told = error instanceof Problem ? Math.min(error.retryAfter * 1000, LONGEST) : 0;
    await sleep(Math.random() * this.#bound + told, signal);
  }
}

export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const stop = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, ms);
    signal?.addEventListener("abort", stop, { once: true });
  });
}
