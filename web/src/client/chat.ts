/**
 * The link to a server, by the official SDK: one connection, its rooms, its notices, and the outbox
 * that outlives it. Composes the other modules; holds no rule of its own but the bound on rooms.
 */
import type { ConnectedContext } from 'centrifuge';

import { ChatError, failureOf, failureOfLink, local, type Failure } from './failure.js';
import { fieldsOf, readText, type Content, type ContentReader, type TextContent } from './message.js';
import { Notices, type Notice } from './notices.js';
import { Observable, rethrowLater, type Observed } from './observable.js';
import { Outbox, type Accepted, type OutboxEntry, type Sent } from './outbox.js';
import { KeptPosition } from './position.js';
import { JoinedRoom, type JoinOptions, type Room } from './room.js';
import { newSdk, type Environment, type Sdk, type Transport } from './sdk.js';
import { memoryStore, type Store } from './store.js';

/** The state of the link: what a lamp shows. */
export type LinkState =
  /** Being made, or made again; `code` and `text` say what ended the one before (3001: the server drains). */
  | { readonly kind: 'connecting'; readonly code: number; readonly text: string }
  /** There. */
  | {
      readonly kind: 'connected';
      /** The id of the gateway that holds the connection. */
      readonly gateway: string;
      readonly connectionId: string;
      /** The subject of the token, as the server reads it. */
      readonly user: string;
      /** The name that others see. */
      readonly name: string;
      /** The transport in use. */
      readonly transport: string;
    }
  /** Over for good. `failure` is undefined after {@link Chat.close}. */
  | { readonly kind: 'closed'; readonly failure: Failure | undefined };

/** What a chat is opened with. */
export interface ChatOptions {
  /** The WebSocket's URL, or a list of transports that are tried in order. */
  readonly transports: string | readonly Transport[];
  /**
   * Gives an access token. Asked before the first connect, when the token ends, and when the server says
   * that it has ended; not at each reconnect. If it fails it is asked again, with growing pauses; a
   * {@link SignedOutError} ends the link.
   */
  readonly getToken: () => Promise<string>;
  /** Where outbox and positions are kept; in memory by default, so that nothing outlives the program. One for each principal. */
  readonly store?: Store;
  /** The application's name in the server's logs, 16 characters at most. */
  readonly name?: string;
  /** The URL for commands of `http_stream` and `sse`; `/emulation` by default. */
  readonly emulationUrl?: string;
  /** Messages in the outbox at most; 200 by default. */
  readonly outboxMax?: number;
  /** How long an answer, or a connection, is waited for, milliseconds; 5,000 by default. */
  readonly answerWaitMs?: number;
  /** How long `getToken` may take, milliseconds; 30,000 by default. */
  readonly tokenWaitMs?: number;
  /** The longest pause before a reconnect, milliseconds; 20,000 by default. */
  readonly reconnectDelayMaxMs?: number;
  /** What this runtime lacks. */
  readonly environment?: Environment;
  /** Told of failures that nobody waits for and that mend themselves: for a log. */
  readonly onFailure?: (failure: Failure) => void;
}

/** A chat: one link, and what goes over it. */
export interface Chat<C extends Content = TextContent> {
  readonly link: Observed<LinkState>;
  /** What is impaired, as a text for people, as long as it is; undefined when all is well. */
  readonly degraded: Observed<string | undefined>;
  /** Notices not yet dismissed, oldest first, 5 at most. */
  readonly notices: Observed<readonly Notice[]>;
  /** Messages that are not acknowledged, in the order of their sending. */
  readonly outbox: Observed<readonly OutboxEntry<C>[]>;
  /**
   * Joins a room. A room that is joined already is answered as it is, whatever the options.
   * Throws a {@link ChatError}: `TOO_MANY_ROOMS` above 100, `CLOSED`.
   */
  readonly join: (room: string, options?: JoinOptions) => Room<C>;
  /**
   * Puts a message into the outbox; it need not be joined, nor linked. Fulfilled when it is in the store.
   * Rejects with a {@link ChatError}: `OUTBOX_FULL`, `MESSAGE_TOO_LARGE`, `MESSAGE_INVALID`, `STORAGE`, `CLOSED`.
   */
  readonly send: (room: string, content: C) => Promise<Accepted>;
  /** Drops a message of the outbox that is not on its way at this moment; answers whether it did. */
  readonly discard: (id: string) => Promise<boolean>;
  /** Tries a refused message again under the same id. After `TOO_OLD` that may make it stand twice. */
  readonly retry: (id: string) => void;
  readonly dismissNotice: (id: string) => void;
  /** Ends rooms and link for good. What is in the outbox stays in the store. */
  readonly close: () => void;
}

const ROOMS_MAX = 100;
const OUTBOX_MAX = 200;

/**
 * Opens a chat whose messages are texts. It connects at once and comes back by itself until it is
 * closed. Throws if this runtime has none of the transports (see {@link ChatOptions.environment}).
 */
export function openChat(options: ChatOptions): Chat;
/** Opens a chat whose messages are what the reader takes. */
export function openChat<C extends Content>(options: ChatOptions, read: ContentReader<C>): Chat<C>;
export function openChat<C extends Content>(options: ChatOptions, read?: ContentReader<C>): Chat<C> | Chat {
  const sdk = newSdk({
    transports: options.transports,
    emulationUrl: options.emulationUrl,
    getToken: options.getToken,
    tokenWaitMs: options.tokenWaitMs ?? 30_000,
    answerWaitMs: options.answerWaitMs ?? 5_000,
    reconnectDelayMaxMs: options.reconnectDelayMaxMs ?? 20_000,
    name: options.name ?? 'roomcast-client',
    environment: options.environment,
  });
  return read === undefined ? new LinkedChat(sdk, options, readText) : new LinkedChat(sdk, options, read);
}

export class LinkedChat<C extends Content> implements Chat<C> {
  readonly link = new Observable<LinkState>({ kind: 'connecting', code: 0, text: '' });
  readonly degraded: Observed<string | undefined>;
  readonly notices: Observed<readonly Notice[]>;
  readonly outbox: Observed<readonly OutboxEntry<C>[]>;
  private readonly told = new Notices();
  private readonly box: Outbox<C>;
  private readonly rooms = new Map<string, JoinedRoom<C>>();
  private readonly store: Store;
  private readonly read: ContentReader<C>;

  constructor(
    private readonly sdk: Sdk,
    private readonly options: Pick<ChatOptions, 'store' | 'outboxMax' | 'onFailure'>,
    read: ContentReader<C>,
  ) {
    this.read = (data) => {
      try {
        return read(data);
      } catch (error) {
        rethrowLater(error);
        return undefined;
      }
    };
    this.store = options.store ?? memoryStore();
    this.box = new Outbox({
      store: this.store,
      read: this.read,
      send: (room, id, content) => this.sendOnce(room, id, content),
      report: this.report,
      entriesMax: options.outboxMax ?? OUTBOX_MAX,
    });
    this.degraded = this.told.degraded;
    this.notices = this.told.list;
    this.outbox = this.box.entries;
    this.hear(sdk);
    sdk.connect();
  }

  readonly join = (name: string, options: JoinOptions = {}): Room<C> => {
    if (this.link.get().kind === 'closed') throw new ChatError(local('final', 'CLOSED', 'the chat is closed'));
    const joined = this.rooms.get(name);
    if (joined !== undefined) return joined;
    if (this.rooms.size >= ROOMS_MAX) {
      throw new ChatError(local('final', 'TOO_MANY_ROOMS', `${ROOMS_MAX} rooms are joined already`));
    }
    const room: JoinedRoom<C> = new JoinedRoom({
      sdk: this.sdk,
      name,
      options,
      read: this.read,
      kept: new KeptPosition(this.store, name),
      send: (content) => this.send(name, content),
      report: this.report,
      ended: () => this.rooms.delete(name),
    });
    this.rooms.set(name, room);
    return room;
  };

  readonly send = (room: string, content: C): Promise<Accepted> => this.box.add(room, content);

  readonly discard = (id: string): Promise<boolean> => this.box.discard(id);

  readonly retry = (id: string): void => this.box.retry(id);

  readonly dismissNotice = (id: string): void => this.told.dismiss(id);

  readonly close = (): void => {
    this.end(undefined);
    this.sdk.disconnect();
  };

  private hear(sdk: Sdk): void {
    sdk.on('connecting', ({ code, reason }) => {
      this.box.setOnline(false);
      this.link.set({ kind: 'connecting', code, text: reason });
    });
    sdk.on('connected', (context) => this.connected(context));
    sdk.on('disconnected', ({ code, reason }) => this.end(failureOfLink(code, reason)));
    sdk.on('publication', ({ channel, data }) => this.told.tell(channel, data));
    sdk.on('error', ({ type, error }) => {
      const failure = failureOf(error);
      const token = type === 'connectToken' || type === 'refreshToken';
      this.report(token ? local('temporary', 'TOKEN', failure.text) : failure);
    });
  }

  private connected(context: ConnectedContext): void {
    const { gateway, user, name, degraded } = fieldsOf(context.data) ?? {};
    const text = (value: unknown): string => (typeof value === 'string' ? value : '');
    this.told.greet(degraded === true);
    this.link.set({
      kind: 'connected',
      gateway: text(gateway),
      connectionId: context.client,
      user: text(user),
      name: text(name),
      transport: context.transport,
    });
    this.box.setOnline(true);
  }

  private end(failure: Failure | undefined): void {
    if (this.link.get().kind === 'closed') return;
    this.link.set({ kind: 'closed', failure });
    for (const room of [...this.rooms.values()]) room.end(failure);
    this.box.close();
  }

  private async sendOnce(room: string, id: string, content: C): Promise<Sent> {
    const answer = await this.sdk.rpc('room.send', { room, id, data: { ...content, id } });
    const { epoch, offset, duplicate } = fieldsOf(answer.data) ?? {};
    const placed = typeof epoch === 'string' && typeof offset === 'number' && offset > 0;
    return { position: placed ? { epoch, offset } : undefined, duplicate: duplicate === true };
  }

  private readonly report = (failure: Failure): void => {
    try {
      this.options.onFailure?.(failure);
    } catch (error) {
      rethrowLater(error);
    }
  };
}
