/** Returns after so many milliseconds, or rejects with the signal's reason. */
export function sleep(milliseconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", end);
      resolve();
    }, milliseconds);
    signal?.addEventListener("abort", end);
    if (signal?.aborted) end();
  });
}

/** The longest pause between tries to connect, before chance is added. */
const LONGEST = 4_000;

/** How long to wait before connecting again: nearly nothing the first time, and never longer than 5 s. All wait together. */
export class Pace {
  #failures = 0;
  #waiting: Promise<void> | undefined;
  #go: (() => void) | undefined;

  /** How often connecting has failed since it last succeeded. */
  get failures(): number {
    return this.#failures;
  }

  /** The connection works. */
  works(): void {
    this.#failures = 0;
  }

  /** Waits for the next try. `atLeast` is what the server asked for, in milliseconds. */
  wait(atLeast = 0): Promise<void> {
    if (this.#waiting) return this.#waiting;
    this.#failures += 1;
    const pause =
      this.#failures > 1
        ? Math.min(LONGEST, 250 * 2 ** (this.#failures - 1)) * (0.75 + Math.random() / 2)
        : Math.random() * 300;
    this.#waiting = new Promise((resolve) => {
      const timer = setTimeout(() => this.#go?.(), Math.max(pause, atLeast));
      this.#go = () => {
        clearTimeout(timer);
        this.#waiting = this.#go = undefined;
        resolve();
      };
    });
    return this.#waiting;
  }

  /** Ends the wait: there is reason to hope. */
  nudge(): void {
    this.#go?.();
  }
}
