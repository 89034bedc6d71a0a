/**
 * Messages that are not yet acknowledged, kept in the browser so that a cut link, a reload or a
 * crash loses none. A message gets its id once, before it is first sent; every try uses that id, and
 * the server answers a second one with the first one's place: it stands in the log once.
 */
import { Observable } from './observable';

/** One message on its way. */
export interface Unsent {
  /** The message id. */
  id: string;
  room: string;
  text: string;
  /** Unix milliseconds of the person's act. */
  at: number;
  /** Why the server refused it for good. */
  refused?: string;
}

/** Sends one message; fails with `Refused` when trying again is of no use. */
export type Send = (message: Unsent) => Promise<void>;

/** The server said no for good. */
export class Refused extends Error {}

/** Messages kept at most; more are refused where they are typed. */
const UNSENT_MAX = 200;
const WAIT_MIN_MS = 250;
const WAIT_MAX_MS = 10_000;

export class Outbox {
  readonly messages: Observable<readonly Unsent[]>;
  private sending = false;
  private online = false;
  private failures = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly send: Send,
    private readonly key: string,
    private readonly storage: Storage,
  ) {
    this.messages = new Observable<readonly Unsent[]>(read(storage, key));
  }

  /** Keeps a message and sends it as soon as there is a link. Answers whether there was room for it. */
  add(room: string, text: string): boolean {
    if (this.messages.get().length >= UNSENT_MAX) return false;
    const message = { id: crypto.randomUUID(), room, text, at: Date.now() };
    this.store([...this.messages.get(), message]);
    void this.pump();
    return true;
  }

  /** Drops a message that was refused. */
  dismiss(id: string): void {
    this.store(this.messages.get().filter((message) => message.id !== id));
  }

  /** Tells whether there is a link now. */
  setOnline(online: boolean): void {
    this.online = online;
    this.failures = 0;
    clearTimeout(this.timer);
    if (online) void this.pump();
  }

  /** One at a time, in the order of the person's acts, so that none overtakes another. */
  private async pump(): Promise<void> {
    if (this.sending) return;
    this.sending = true;
    try {
      for (;;) {
        const next = this.messages.get().find((message) => message.refused === undefined);
        if (next === undefined || !this.online) return;
        try {
          await this.send(next);
          this.failures = 0;
          this.dismiss(next.id);
        } catch (error) {
          if (!(error instanceof Refused)) {
            this.retryLater();
            return;
          }
          this.store(
            this.messages.get().map((message) =>
              message.id === next.id ? { ...message, refused: error.message } : message,
            ),
          );
        }
      }
    } finally {
      this.sending = false;
    }
  }

  private retryLater(): void {
    const wait = Math.min(WAIT_MAX_MS, WAIT_MIN_MS * 2 ** this.failures) * (0.5 + Math.random() / 2);
    this.failures += 1;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.pump(), wait);
  }

  private store(messages: readonly Unsent[]): void {
    this.storage.setItem(this.key, JSON.stringify(messages));
    this.messages.set(messages);
  }
}

function read(storage: Storage, key: string): readonly Unsent[] {
  try {
    const kept: unknown = JSON.parse(storage.getItem(key) ?? '[]');
    return Array.isArray(kept) ? (kept as Unsent[]) : [];
  } catch {
    return [];
  }
}
