/**
 * Messages that are not yet acknowledged, kept in a store so that a cut link, a reload or a crash
 * loses none. A message gets its id once, before it is first sent; every try uses that id, and the
 * server answers a second one with the first one's place: it stands in the log once.
 *
 * In each room one message is under way at a time, in the order of the person's acts; a transient
 * failure leaves it at the front, to be tried again. Nothing here renders or knows the SDK.
 */
import { ChatError, failureOf, local, type Failure } from './failure.js';
import { fieldsOf, type Content, type ContentReader, type Position } from './message.js';
import { Observable } from './observable.js';
import { storageError } from './position.js';
import type { Store } from './store.js';

/** How far a message of the outbox is. */
export type OutboxState =
  /** Waits for the link, for those before it, or for the next try. */
  | { readonly kind: 'waiting' }
  /** On its way; no answer yet. */
  | { readonly kind: 'sending' }
  /** Refused for good: stays until it is discarded or retried. Those behind it go on. */
  | { readonly kind: 'refused'; readonly failure: Failure };

/** A message that is not yet in the log, as far as we know. */
export interface OutboxEntry<C extends Content> {
  /** The message id: the same in each try, and in the message when it arrives. */
  readonly id: string;
  readonly room: string;
  readonly content: C;
  /** Unix milliseconds of this side's clock, when it was handed over. */
  readonly createdMs: number;
  readonly state: OutboxState;
}

/** How the sending of a message ended. */
export type Outcome =
  /** It is in the log. `position` is undefined in rooms without a log; `duplicate`: an earlier try had put it there. */
  | { readonly kind: 'sent'; readonly position: Position | undefined; readonly duplicate: boolean }
  /** Refused for good. */
  | { readonly kind: 'refused'; readonly failure: Failure }
  /** Discarded before it was sent. */
  | { readonly kind: 'discarded' }
  /** The chat was closed before; it is in the store and is sent the next time. */
  | { readonly kind: 'unsent' };

/** A message that is in the store: it will be sent, now or after a restart. */
export interface Accepted {
  /** The message id. */
  readonly id: string;
  /** How it ended. Never rejected, so it may be left alone. */
  readonly outcome: Promise<Outcome>;
}

/** What the server answered. */
export interface Sent {
  position: Position | undefined;
  duplicate: boolean;
}

export interface OutboxParts<C extends Content> {
  store: Store;
  read: ContentReader<C>;
  /** Sends once; rejects with what `failureOf` understands. */
  send: (room: string, id: string, content: C) => Promise<Sent>;
  /** Told of what nobody waits for. */
  report: (failure: Failure) => void;
  entriesMax: number;
}

interface Held<C> {
  id: string;
  room: string;
  content: C;
  createdMs: number;
  /** Place among all messages of the store. */
  order: number;
  /** When the first try may have begun; written before it does. */
  triedMs?: number;
  refused?: Failure;
}

interface Lane {
  busy: boolean;
  failures: number;
  timer?: ReturnType<typeof setTimeout>;
}

const PREFIX = 'outbox/';
/** Payload of one message, in bytes of JSON: a frame holds 65,536 with its envelope, and a larger one ends the link. */
const MESSAGE_BYTES_MAX = 60_000;
/** Rooms that send at once. */
const LANES_MAX = 16;
const WAIT_MIN_MS = 250;
const WAIT_MAX_MS = 10_000;
/** The server remembers an id for 24 hours; an hour is left for clocks that differ. */
const RETRY_MAX_MS = 23 * 3_600_000;

export class Outbox<C extends Content> {
  readonly entries = new Observable<readonly OutboxEntry<C>[]>([]);
  private held: Held<C>[] = [];
  private readonly sending = new Set<string>();
  private readonly lanes = new Map<string, Lane>();
  private readonly outcomes = new Map<string, (outcome: Outcome) => void>();
  private online = false;
  private closed = false;
  private adding = 0;
  private order = 0;
  /** Writes of new messages, one after another, so that the store never holds a later one alone. */
  private tail: Promise<void>;

  constructor(private readonly parts: OutboxParts<C>) {
    this.tail = this.load().catch((error: unknown) => parts.report(storageError(error).failure));
  }

  /** Stores a message and sends it as soon as there is a link and its turn has come. */
  async add(room: string, content: C): Promise<Accepted> {
    if (this.closed) throw new ChatError(local('final', 'CLOSED', 'the chat is closed'));
    if (this.held.length + this.adding >= this.parts.entriesMax) {
      throw new ChatError(local('temporary', 'OUTBOX_FULL', `${this.parts.entriesMax} messages wait already`));
    }
    const id = newMessageId();
    const copy = this.copyOf(id, content);
    const createdMs = Date.now();
    this.adding += 1;
    const stored = this.tail.then(async () => {
      this.order = Math.max(this.order + 1, createdMs);
      const entry: Held<C> = { id, room, content: copy, createdMs, order: this.order };
      if (this.online) entry.triedMs = createdMs;
      await this.write(entry);
      this.held.push(entry);
    });
    this.tail = stored.catch(() => undefined);
    try {
      await stored;
    } catch (error) {
      throw storageError(error);
    } finally {
      this.adding -= 1;
    }
    const outcome = new Promise<Outcome>((done) => {
      if (this.closed) done({ kind: 'unsent' });
      else this.outcomes.set(id, done);
    });
    this.show();
    this.pump(room);
    return { id, outcome };
  }

  /** Drops a message that is not on its way at this moment. Answers whether it did. */
  async discard(id: string): Promise<boolean> {
    const entry = this.held.find((one) => one.id === id);
    if (entry === undefined || this.sending.has(id)) return false;
    this.held = this.held.filter((one) => one !== entry);
    this.show();
    this.end(id, { kind: 'discarded' });
    await this.erase(id);
    return true;
  }

  /** Tries a refused message again, under the same id. */
  retry(id: string): void {
    const entry = this.held.find((one) => one.id === id);
    if (entry?.refused === undefined) return;
    delete entry.refused;
    delete entry.triedMs;
    this.show();
    this.pump(entry.room);
  }

  /** Tells whether there is a link now. */
  setOnline(online: boolean): void {
    this.online = online;
    for (const [room, lane] of this.lanes) {
      clearTimeout(lane.timer);
      delete lane.timer;
      lane.failures = 0;
      if (!lane.busy) this.lanes.delete(room);
    }
    this.pumpAll();
  }

  /** Sends no more. What is not acknowledged stays in the store. */
  close(): void {
    this.setOnline(false);
    this.closed = true;
    for (const id of [...this.outcomes.keys()]) this.end(id, { kind: 'unsent' });
  }

  private async load(): Promise<void> {
    const found = await this.parts.store.entries(PREFIX);
    const held: Held<C>[] = [];
    for (const [key, value] of found) {
      const entry = entryOf(value, this.parts.read);
      if (entry !== undefined) held.push(entry);
      else this.parts.report(local('final', 'STORAGE', `${key} in the store is no message of this application; it is left there`));
    }
    held.sort((one, two) => one.order - two.order || (one.id < two.id ? -1 : 1));
    if (held.length > this.parts.entriesMax) {
      this.parts.report(local('temporary', 'OUTBOX_FULL', 'more messages are stored than the outbox may hold; the newest wait for the next start'));
    }
    this.held = held.slice(0, this.parts.entriesMax);
    this.order = held.at(-1)?.order ?? 0;
    this.show();
    this.pumpAll();
  }

  private pumpAll(): void {
    for (const room of new Set(this.held.map((entry) => entry.room))) this.pump(room);
  }

  private pump(room: string): void {
    if (!this.online || this.closed || this.next(room) === undefined) return;
    const lane = this.lanes.get(room) ?? { busy: false, failures: 0 };
    const busy = [...this.lanes.values()].filter((one) => one.busy).length;
    if (lane.busy || lane.timer !== undefined || busy >= LANES_MAX) return;
    this.lanes.set(room, lane);
    lane.busy = true;
    void this.drain(room, lane);
  }

  /** Sends a room's messages, one at a time, until there are none or one has to wait. Never rejects. */
  private async drain(room: string, lane: Lane): Promise<void> {
    for (let next = this.next(room); next !== undefined; next = this.next(room)) {
      if (!this.online || this.closed) break;
      if (!(await this.sendOne(next))) {
        const wait = Math.min(WAIT_MAX_MS, WAIT_MIN_MS * 2 ** Math.min(lane.failures, 10));
        lane.failures += 1;
        lane.timer = setTimeout(() => {
          delete lane.timer;
          if (this.next(room) === undefined) this.lanes.delete(room);
          this.pump(room);
        }, wait * (0.5 + Math.random() / 2));
        break;
      }
      lane.failures = 0;
    }
    lane.busy = false;
    if (lane.timer === undefined || this.closed) {
      clearTimeout(lane.timer);
      this.lanes.delete(room);
    }
    // Another room may have waited for a lane; this one may have been added to.
    this.pumpAll();
  }

  /** One try. Answers false if the message has to be tried again. Never rejects. */
  private async sendOne(entry: Held<C>): Promise<boolean> {
    const now = Date.now();
    if (entry.triedMs !== undefined && now - entry.triedMs > RETRY_MAX_MS) {
      await this.refuse(entry, local('final', 'TOO_OLD', 'first tried more than 23 hours ago: it may be in the log already'));
      return true;
    }
    this.sending.add(entry.id);
    this.show();
    try {
      if (entry.triedMs === undefined) {
        entry.triedMs = now;
        await this.write(entry).catch((error: unknown) => {
          delete entry.triedMs;
          throw storageError(error);
        });
      }
      const sent = await this.parts.send(entry.room, entry.id, entry.content);
      this.held = this.held.filter((one) => one !== entry);
      this.end(entry.id, { kind: 'sent', ...sent });
      await this.erase(entry.id);
      return true;
    } catch (error) {
      const failure = failureOf(error);
      if (failure.origin === 'local' && failure.reason === 'STORAGE') this.parts.report(failure);
      if (failure.kind === 'temporary') return false;
      await this.refuse(entry, failure);
      return true;
    } finally {
      this.sending.delete(entry.id);
      this.show();
    }
  }

  private async refuse(entry: Held<C>, failure: Failure): Promise<void> {
    entry.refused = failure;
    this.show();
    this.end(entry.id, { kind: 'refused', failure });
    await this.write(entry).catch((error: unknown) => this.parts.report(storageError(error).failure));
  }

  private next(room: string): Held<C> | undefined {
    return this.held.find((entry) => entry.room === room && entry.refused === undefined);
  }

  private end(id: string, outcome: Outcome): void {
    this.outcomes.get(id)?.(outcome);
    this.outcomes.delete(id);
  }

  private write(entry: Held<C>): Promise<void> {
    return this.parts.store.set(PREFIX + entry.id, JSON.stringify(entry));
  }

  /** What stays in the store by a failure is sent once more at the next start, and taken for the same. */
  private erase(id: string): Promise<void> {
    return this.parts.store
      .remove(PREFIX + id)
      .catch((error: unknown) => this.parts.report(storageError(error).failure));
  }

  /** The content as it will be sent: later changes by the caller do not show, and the reader takes it. */
  private copyOf(id: string, content: C): C {
    const invalid = (text: string) => new ChatError(local('final', 'MESSAGE_INVALID', text));
    let text: string;
    try {
      text = JSON.stringify({ ...content, id });
    } catch (error) {
      throw invalid(String(error));
    }
    if (new TextEncoder().encode(text).length > MESSAGE_BYTES_MAX) {
      throw new ChatError(local('final', 'MESSAGE_TOO_LARGE', `a message has ${MESSAGE_BYTES_MAX} bytes of JSON at most`));
    }
    const copy = this.parts.read(fieldsOf(JSON.parse(text)) ?? {});
    if (copy === undefined) throw invalid('the content reader does not take this message');
    return copy;
  }

  private show(): void {
    this.entries.set(
      this.held.map((entry) => ({
        id: entry.id,
        room: entry.room,
        content: entry.content,
        createdMs: entry.createdMs,
        state: this.stateOf(entry),
      })),
    );
  }

  private stateOf(entry: Held<C>): OutboxState {
    if (entry.refused !== undefined) return { kind: 'refused', failure: entry.refused };
    return { kind: this.sending.has(entry.id) ? 'sending' : 'waiting' };
  }
}

/** 128 random bits. `crypto.randomUUID` would be missing on pages that came over plain HTTP. */
function newMessageId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

function entryOf<C extends Content>(text: string, read: ContentReader<C>): Held<C> | undefined {
  let stored: Readonly<Record<string, unknown>>;
  try {
    stored = fieldsOf(JSON.parse(text)) ?? {};
  } catch {
    return undefined;
  }
  const { id, room, createdMs, order, triedMs, refused } = stored;
  const content = read(fieldsOf(stored['content']) ?? {});
  if (typeof id !== 'string' || typeof room !== 'string' || content === undefined) return undefined;
  if (typeof createdMs !== 'number' || typeof order !== 'number') return undefined;
  const entry: Held<C> = { id, room, content, createdMs, order };
  if (typeof triedMs === 'number') entry.triedMs = triedMs;
  // Written by this package; only its shape is looked at.
  if (fieldsOf(refused)?.['kind'] === 'final') entry.refused = refused as Failure;
  return entry;
}
