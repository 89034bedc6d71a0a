/**
 * The position that one room's reader has reached, in a store. Writes never pile up: one is under
 * way and one waits, and the waiting one takes the newest place.
 */
import { ChatError, local } from './failure.js';
import { fieldsOf, type Position } from './message.js';
import type { Store } from './store.js';

export class KeptPosition {
  private last: Position | undefined;
  private writing: Promise<void> = Promise.resolve();
  private waiting: { position: Position; done: Promise<void> } | undefined;
  private readonly key: string;

  constructor(
    private readonly store: Store,
    room: string,
  ) {
    this.key = `position/${room}`;
  }

  /** The position kept; undefined if there is none. Rejects if the store cannot be read. */
  async load(): Promise<Position | undefined> {
    try {
      const entries = await this.store.entries(this.key);
      const found = entries.find(([key]) => key === this.key);
      this.last = found === undefined ? undefined : read(found[1]);
      return this.last;
    } catch (error) {
      throw storageError(error);
    }
  }

  /** Writes a position, unless a later one of the same epoch is kept. */
  keep(position: Position): Promise<void> {
    if (this.waiting !== undefined) {
      this.waiting.position = later(this.waiting.position, position);
      return this.waiting.done;
    }
    const done = this.writing.then(() => {
      const next = later(this.last, this.waiting?.position ?? position);
      this.waiting = undefined;
      return this.write(next);
    });
    this.waiting = { position, done };
    // The caller hears of a failure; the next write begins all the same.
    this.writing = done.catch(() => undefined);
    return done;
  }

  private async write(position: Position): Promise<void> {
    if (position === this.last) return;
    try {
      await this.store.set(this.key, JSON.stringify(position));
      this.last = position;
    } catch (error) {
      throw storageError(error);
    }
  }
}

/** An error of the store as one of ours. */
export function storageError(error: unknown): ChatError {
  return new ChatError(local('temporary', 'STORAGE', error instanceof Error ? error.message : String(error)));
}

function later(one: Position | undefined, two: Position): Position {
  return one !== undefined && one.epoch === two.epoch && one.offset >= two.offset ? one : two;
}

function read(text: string): Position | undefined {
  try {
    const { epoch, offset } = fieldsOf(JSON.parse(text)) ?? {};
    if (typeof epoch !== 'string' || typeof offset !== 'number') return undefined;
    return Number.isSafeInteger(offset) && offset >= 0 ? { epoch, offset } : undefined;
  } catch {
    return undefined;
  }
}
