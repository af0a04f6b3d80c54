/** A value that can be read and watched. */
export interface Observable<T> {
  /** The value now. */
  get(): T;
  /** Calls `listener` after each change, until what is returned is called. */
  subscribe(listener: (value: T) => void): () => void;
}

/** Listeners that do not disturb each other: what one throws is reported as uncaught, and the others are called. */
export class Listeners<T> {
  readonly #all = new Set<{ call: (value: T) => void }>();

  get size(): number {
    return this.#all.size;
  }

  add(call: (value: T) => void): () => void {
    const entry = { call };
    this.#all.add(entry);
    return () => void this.#all.delete(entry);
  }

  tell(value: T): void {
    for (const { call } of [...this.#all]) {
      try {
        call(value);
      } catch (error) {
        void Promise.reject(error);
      }
    }
  }
}

/** A value that can be set. */
export class Value<T> implements Observable<T> {
  readonly #listeners = new Listeners<T>();
  #value: T;

  constructor(value: T) {
    this.#value = value;
  }

  get(): T {
    return this.#value;
  }

  set(value: T): void {
    if (value === this.#value) return;
    this.#value = value;
    this.#listeners.tell(value);
  }

  subscribe(listener: (value: T) => void): () => void {
    return this.#listeners.add(listener);
  }
}
