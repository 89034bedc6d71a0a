/** One room as the page sees it: its timeline and how many are in it. */
import type { Centrifuge, Subscription } from 'centrifuge';

import { Observable } from './observable';
import { appended, nameOf, shownOf, withHistory, type Shown } from './timeline';

/** How far a room is joined. */
export type RoomState = { kind: 'joining' } | { kind: 'joined' } | { kind: 'ended'; reason: string };

/** Messages fetched when a room is joined. */
const HISTORY_LIMIT = 50;
const COUNT_WAIT_MS = 300;

export class Room {
  readonly shown = new Observable<readonly Shown[]>([]);
  readonly state = new Observable<RoomState>({ kind: 'joining' });
  /** Distinct people here; undefined while it is not known. */
  readonly people = new Observable<number | undefined>(undefined);
  private readonly subscription: Subscription;
  private countTimer: ReturnType<typeof setTimeout> | undefined;
  private lines = 0;

  constructor(
    private readonly centrifuge: Centrifuge,
    readonly name: string,
  ) {
    this.subscription = centrifuge.newSubscription(name, {
      positioned: true,
      recoverable: true,
      joinLeave: true,
    });
    this.subscription.on('publication', (publication) => {
      const entry = shownOf(publication);
      if (entry !== undefined) this.shown.update((shown) => appended(shown, entry));
    });
    this.subscription.on('subscribed', (context) => {
      this.state.set({ kind: 'joined' });
      this.countSoon();
      if (!context.recovered) void this.reload();
    });
    this.subscription.on('subscribing', () => this.state.set({ kind: 'joining' }));
    this.subscription.on('unsubscribed', (context) =>
      this.state.set({ kind: 'ended', reason: context.reason }),
    );
    this.subscription.on('join', (context) => this.line(`${nameOf(context.info)} joined`));
    this.subscription.on('leave', (context) => this.line(`${nameOf(context.info)} left`));
    this.subscription.subscribe();
  }

  /** Leaves the room. */
  close(): void {
    clearTimeout(this.countTimer);
    this.subscription.unsubscribe();
    this.subscription.removeAllListeners();
    this.centrifuge.removeSubscription(this.subscription);
  }

  /** Shows what the log holds: at the first join, and when the way back could not be found. */
  private async reload(): Promise<void> {
    try {
      const page = await this.subscription.history({ limit: HISTORY_LIMIT, reverse: true });
      const entries = page.publications.map(shownOf).filter((entry) => entry !== undefined);
      this.shown.update((shown) => withHistory(shown, entries.reverse()));
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
    clearTimeout(this.countTimer);
    this.countTimer = setTimeout(() => {
      this.subscription.presenceStats().then(
        (stats) => this.people.set(stats.numUsers),
        () => this.people.set(undefined),
      );
    }, COUNT_WAIT_MS);
  }
}
