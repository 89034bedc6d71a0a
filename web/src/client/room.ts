/** One joined room: its live traffic in order, its history, and who is in it. */
import type { Subscription, SubscribedContext } from 'centrifuge';

import { ChatError, failureOf, failureOfEnd, type Failure } from './failure.js';
import { pageOf, sdkRequest, type HistoryPage, type HistoryRequest } from './history.js';
import { itemOf, whoOf, type Content, type ContentReader, type Item, type Position, type Who } from './message.js';
import { Observable, rethrowLater, type Observed } from './observable.js';
import type { Accepted } from './outbox.js';
import type { KeptPosition } from './position.js';
import type { Sdk } from './sdk.js';

/** How far a room is joined. */
export type RoomState =
  /** On the way in, or on the way back after the link was cut. */
  | { readonly kind: 'joining' }
  /** Live. */
  | { readonly kind: 'joined' }
  /** Over; join again to go on. `failure` is undefined if this side left; a kick has the code 2000. */
  | { readonly kind: 'ended'; readonly failure: Failure | undefined };

/**
 * What became of the position that was known before a subscribe.
 * `none`: there was none, live traffic begins at the head. `complete`: everything after it follows,
 * in order, each once. `lost`: the way back is not there any more; show the history anew.
 */
export type Recovery = 'none' | 'complete' | 'lost';

/** What happens in a room. */
export type RoomEvent<C extends Content> =
  /** Live, the first time or again. `position` is where traffic goes on; undefined in rooms without a log. */
  | { readonly type: 'subscribed'; readonly recovery: Recovery; readonly position: Position | undefined }
  | Item<C>
  /** A connection came. A signal: has no place in the log and may be missed. */
  | { readonly type: 'join'; readonly who: Who }
  /** A connection went. */
  | { readonly type: 'leave'; readonly who: Who };

/** How many are in a room. */
export type Count =
  /** `people` are distinct users, `connections` their windows and programs. */
  | { readonly kind: 'known'; readonly people: number; readonly connections: number }
  /** It is not known now. Never shown as zero. */
  | { readonly kind: 'unavailable'; readonly failure: Failure };

/** Who is in a room. */
export type Presence =
  /** One entry a connection, 1,000 at most. */
  | { readonly kind: 'known'; readonly connections: readonly Who[] }
  /** It is not known now. */
  | { readonly kind: 'unavailable'; readonly failure: Failure };

/** How a room is joined. */
export interface JoinOptions {
  /**
   * Where this side is: everything after it comes first. `stored` takes what
   * {@link Room.keepPosition} has kept. Without it live traffic begins at the head.
   */
  readonly since?: Position | 'stored';
  /** Whether to be told who joins and leaves; true by default, as far as the room's kind allows. */
  readonly joinLeave?: boolean;
}

/** A room that was joined. */
export interface Room<C extends Content> {
  readonly name: string;
  readonly state: Observed<RoomState>;
  /** The last position that listeners were told of. */
  readonly position: () => Position | undefined;
  /**
   * Tells what happens, in order. Listen in the same turn as `join`, and nothing is missed. A listener
   * that throws is reported as an uncaught error of its own and stops nothing. Returns what ends it.
   */
  readonly listen: (listener: (event: RoomEvent<C>) => void) => () => void;
  /** As {@link Chat.send} into this room. */
  readonly send: (content: C) => Promise<Accepted>;
  /** Reads a page of the log. Rejects with a {@link ChatError}; `POSITION_UNRECOVERABLE` for a position of another epoch. */
  readonly history: (request: HistoryRequest) => Promise<HistoryPage<C>>;
  /** Who is here. Never rejects. */
  readonly presence: () => Promise<Presence>;
  /** How many are here. Never rejects. */
  readonly count: () => Promise<Count>;
  /**
   * Writes a position to the store, for `since: 'stored'`. Call it when what stands up to there is safe
   * on your side: with or after your own write, never before. Rejects with a {@link ChatError} (`STORAGE`).
   */
  readonly keepPosition: (position: Position) => Promise<void>;
  /** Leaves the room. */
  readonly leave: () => void;
}

/** What a room needs of the chat. */
export interface RoomParts<C extends Content> {
  sdk: Sdk;
  name: string;
  options: JoinOptions;
  read: ContentReader<C>;
  kept: KeptPosition;
  send: (content: C) => Promise<Accepted>;
  report: (failure: Failure) => void;
  /** Called once, when the room has ended. */
  ended: () => void;
}

export class JoinedRoom<C extends Content> implements Room<C> {
  readonly name: string;
  readonly state = new Observable<RoomState>({ kind: 'joining' });
  private readonly listeners = new Set<(event: RoomEvent<C>) => void>();
  private subscription: Subscription | undefined;
  private epoch: string | undefined;
  private last: Position | undefined;
  /** The kept position could not be read: what was missed is not known. */
  private blind = false;

  constructor(private readonly parts: RoomParts<C>) {
    this.name = parts.name;
    const { since } = parts.options;
    if (since === 'stored') void this.subscribeAtKept();
    else this.subscribe(since);
  }

  readonly position = (): Position | undefined => this.last;

  readonly listen = (listener: (event: RoomEvent<C>) => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  readonly send = (content: C): Promise<Accepted> => this.parts.send(content);

  readonly history = async (request: HistoryRequest): Promise<HistoryPage<C>> => {
    try {
      const result = await this.parts.sdk.history(this.name, sdkRequest(request));
      return pageOf(this.name, request, result, this.parts.read);
    } catch (error) {
      throw new ChatError(failureOf(error));
    }
  };

  readonly presence = async (): Promise<Presence> => {
    try {
      const { clients } = await this.parts.sdk.presence(this.name);
      return { kind: 'known', connections: Object.values(clients).map(whoOf) };
    } catch (error) {
      return { kind: 'unavailable', failure: failureOf(error) };
    }
  };

  readonly count = async (): Promise<Count> => {
    try {
      const { numUsers, numClients } = await this.parts.sdk.presenceStats(this.name);
      return { kind: 'known', people: numUsers, connections: numClients };
    } catch (error) {
      return { kind: 'unavailable', failure: failureOf(error) };
    }
  };

  readonly keepPosition = (position: Position): Promise<void> => this.parts.kept.keep(position);

  readonly leave = (): void => this.end(undefined);

  /** Ends the room, because this side leaves or because the link ended for good. */
  end(failure: Failure | undefined): void {
    if (this.state.get().kind === 'ended') return;
    this.state.set({ kind: 'ended', failure });
    this.listeners.clear();
    const { subscription } = this;
    if (subscription !== undefined) {
      subscription.unsubscribe();
      this.parts.sdk.removeSubscription(subscription);
    }
    this.parts.ended();
  }

  private async subscribeAtKept(): Promise<void> {
    let since: Position | undefined;
    try {
      since = await this.parts.kept.load();
    } catch (error) {
      this.blind = true;
      this.parts.report(failureOf(error));
    }
    if (this.state.get().kind !== 'ended') this.subscribe(since);
  }

  private subscribe(since: Position | undefined): void {
    this.last = since;
    const subscription = this.parts.sdk.newSubscription(this.name, {
      positioned: true,
      recoverable: true,
      joinLeave: this.parts.options.joinLeave ?? true,
      ...(since === undefined ? {} : { since }),
    });
    this.subscription = subscription;
    subscription.on('subscribing', () => this.state.set({ kind: 'joining' }));
    subscription.on('subscribed', (context) => this.subscribed(context));
    subscription.on('publication', (publication) => this.arrived(itemOf(this.name, this.epoch, publication, this.parts.read)));
    subscription.on('join', ({ info }) => this.tell({ type: 'join', who: whoOf(info) }));
    subscription.on('leave', ({ info }) => this.tell({ type: 'leave', who: whoOf(info) }));
    subscription.on('error', ({ error }) => this.parts.report(failureOf({ ...error, temporary: true })));
    subscription.on('unsubscribed', ({ code, reason }) => this.end(failureOfEnd(code, reason)));
    subscription.subscribe();
  }

  private subscribed({ streamPosition, wasRecovering, recovered }: SubscribedContext): void {
    this.epoch = streamPosition?.epoch;
    const lost = (wasRecovering && !recovered) || this.blind;
    this.blind = false;
    // After a recovery the place in the reply is the one that we came with; items move it on.
    this.last = streamPosition;
    this.state.set({ kind: 'joined' });
    this.tell({ type: 'subscribed', recovery: lost ? 'lost' : wasRecovering ? 'complete' : 'none', position: streamPosition });
  }

  private arrived(item: Item<C>): void {
    const { position } = item;
    if (position !== undefined) {
      // Promised by the server; checked because a repeat would be shown to a person.
      if (this.last !== undefined && this.last.epoch === position.epoch && position.offset <= this.last.offset) return;
      this.last = position;
    }
    this.tell(item);
  }

  private tell(event: RoomEvent<C>): void {
    for (const listener of this.listeners) {
      try {
        listener(event);
      } catch (error) {
        rethrowLater(error);
      }
    }
  }
}
