/**
 * A value that can be looked at and that tells when it changes.
 *
 * Fits React's `useSyncExternalStore(value.subscribe, value.get)` and is as easily used without React.
 */
export interface Observed<T> {
  /** The value now. The same object until it changes. */
  readonly get: () => T;
  /** Calls the listener after each change, without the value. Returns what ends that. */
  readonly subscribe: (listener: () => void) => () => void;
}

/** An {@link Observed} value that its owner can set: for your own state, and for fakes in tests. */
export class Observable<T> implements Observed<T> {
  private readonly listeners = new Set<() => void>();

  /** Begins with a value. */
  constructor(private value: T) {}

  /** The value now. */
  readonly get = (): T => this.value;

  /** Sets the value and tells the listeners, unless it is the same (`Object.is`). */
  set(value: T): void {
    if (Object.is(value, this.value)) return;
    this.value = value;
    for (const listener of this.listeners) {
      try {
        listener();
      } catch (error) {
        rethrowLater(error);
      }
    }
  }

  /** Sets the value to what is made of the one now. */
  update(change: (value: T) => T): void {
    this.set(change(this.value));
  }

  /** Calls the listener after each change. Returns what ends that. */
  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };
}

/**
 * Throws an error of the application in a task of its own. It shows as uncaught, as it should, and
 * neither stops the SDK, which ends its link at an exception in a handler, nor keeps others from being told.
 */
export function rethrowLater(error: unknown): void {
  setTimeout(() => {
    throw error;
  });
}
