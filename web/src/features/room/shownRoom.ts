/** One room as the page sees it: its timeline and how many are in it. No React here. */
import { Observable, type Chat, type Count, type Room, type RoomEvent, type TextContent } from '../../client';
import { appended, shownOf, withHistory, type Shown } from './timeline';

/** Messages fetched when a room is joined. */
const HISTORY_LIMIT = 50;
const COUNT_WAIT_MS = 300;
/** How old a count may get: who comes while nobody is told of it is counted all the same. */
const COUNT_EVERY_MS = 10_000;

export class ShownRoom {
  readonly shown = new Observable<readonly Shown[]>([]);
  readonly count = new Observable<Count | undefined>(undefined);
  readonly room: Room<TextContent>;
  private countTimer: ReturnType<typeof setTimeout> | undefined;
  private countIsDue = false;
  private closed = false;
  private lines = 0;

  constructor(chat: Chat, name: string) {
    this.room = chat.join(name);
    this.room.listen((event) => this.told(event));
  }

  /** Leaves the room. */
  close(): void {
    this.closed = true;
    clearTimeout(this.countTimer);
    this.room.leave();
  }

  private told(event: RoomEvent<TextContent>): void {
    switch (event.type) {
      case 'subscribed':
        this.countSoon();
        if (event.recovery !== 'complete') void this.reload();
        return;
      case 'join':
        return this.line(`${event.who.name} joined`);
      case 'leave':
        return this.line(`${event.who.name} left`);
      default: {
        const entry = shownOf(event);
        if (entry !== undefined) this.shown.update((shown) => appended(shown, entry));
      }
    }
  }

  /** Shows what the log holds: at the first join, and when the way back could not be found. */
  private async reload(): Promise<void> {
    try {
      const page = await this.room.history({ direction: 'backward', limit: HISTORY_LIMIT });
      const entries = page.items.map(shownOf).filter((entry) => entry !== undefined);
      this.shown.update((shown) => withHistory(shown, entries));
    } catch {
      this.line('The history could not be read; new messages are shown.');
    }
  }

  private line(text: string): void {
    this.lines += 1;
    const entry: Shown = { type: 'line', id: `line-${this.lines}`, text };
    this.shown.update((shown) => appended(shown, entry));
    this.countSoon();
  }

  /** Many people come and go at once: one question answers for all of them. */
  private countSoon(): void {
    if (this.countIsDue || this.closed) return;
    this.countIsDue = true;
    this.countIn(COUNT_WAIT_MS);
  }

  private countIn(wait: number): void {
    clearTimeout(this.countTimer);
    this.countTimer = setTimeout(() => void this.askCount(), wait);
  }

  private async askCount(): Promise<void> {
    this.countIsDue = false;
    const count = await this.room.count();
    if (this.closed) return;
    this.count.set(count);
    if (!this.countIsDue) this.countIn(COUNT_EVERY_MS);
  }
}
