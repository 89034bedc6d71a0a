/**
 * What stands in a room's log, typed. Payloads come from other people's programs: nothing of them
 * is believed before a reader has looked at it, and what no reader takes is handed over as `unknown`.
 */

/** A place in a room's log: the life of the log, and the place in it, 1, 2, 3 … without holes. */
export interface Position {
  /** Which life of the log. Offsets of two epochs cannot be compared. */
  readonly epoch: string;
  /** The place. 0 is before the first item. */
  readonly offset: number;
}

/**
 * What a message says. Each application has its kinds, told apart by `kind`; the envelope's `id` is
 * taken. The kind `kick` is the server's.
 */
export interface Content {
  readonly kind: string;
  readonly id?: never;
}

/** The kind that every roomcast application has. */
export interface TextContent extends Content {
  readonly kind: 'text';
  /** What was written: text, never markup. */
  readonly text: string;
}

/** Makes a message's content of a payload; undefined if it is none of the application's. Must not throw. */
export type ContentReader<C extends Content> = (data: Readonly<Record<string, unknown>>) => C | undefined;

/** Who wrote a message, or has a connection. */
export interface Who {
  /** The subject of the token. Unique within an issuer. */
  readonly user: string;
  /** The name to show; the subject if there is none. */
  readonly name: string;
  /** The connection; empty for what was published over HTTP. */
  readonly connectionId: string;
}

/** What every item of a log has. */
export interface Placed {
  readonly room: string;
  /** Where it stands; undefined in rooms that keep no log. */
  readonly position: Position | undefined;
  /** Unix milliseconds of the server; undefined if the SDK does not hand it over. */
  readonly timeMs: number | undefined;
}

/** Something that somebody said. */
export interface Message<C extends Content = TextContent> extends Placed {
  readonly type: 'message';
  /** The author's message id, as the payload says it; undefined if it has none. Unique for one author only. */
  readonly id: string | undefined;
  /** The author; undefined when a backend published it without one. */
  readonly sender: Who | undefined;
  /** The id of the gateway that took it. */
  readonly gateway: string | undefined;
  /** What the author said of it beside the payload. Empty for most. */
  readonly tags: Readonly<Record<string, string>>;
  readonly content: C;
}

/** Somebody was removed from the room. */
export interface Kick extends Placed {
  readonly type: 'kick';
  /** The subject of who was removed. */
  readonly user: string;
  /** Why, as it was told; may be empty. */
  readonly reason: string;
}

/** An item whose payload the content reader does not take. It has its place all the same. */
export interface UnknownItem extends Placed {
  readonly type: 'unknown';
  readonly sender: Who | undefined;
  readonly gateway: string | undefined;
  /** What the author said of it beside the payload. Empty for most. */
  readonly tags: Readonly<Record<string, string>>;
  /** The payload as it came: not checked. */
  readonly data: unknown;
}

/** One item of a room's log. */
export type Item<C extends Content = TextContent> = Message<C> | Kick | UnknownItem;

/** Reads {@link TextContent}; a payload with a text and without a kind counts as such. */
export function readText(data: Readonly<Record<string, unknown>>): TextContent | undefined {
  const { kind, text } = data;
  if (kind !== undefined && kind !== 'text') return undefined;
  return typeof text === 'string' && text !== '' ? { kind: 'text', text } : undefined;
}

/** Who a connection belongs to, as the SDK hands it over. */
export interface InfoLike {
  user: string;
  client: string;
  connInfo?: unknown;
}

/** A publication as the SDK hands it over, and the time that `sdk.ts` adds. */
export interface PublicationLike {
  data: unknown;
  offset?: number;
  info?: InfoLike;
  tags?: Record<string, string>;
  time?: unknown;
}

/** Makes an item of what the SDK hands over. */
export function itemOf<C extends Content>(
  room: string,
  epoch: string | undefined,
  publication: PublicationLike,
  read: ContentReader<C>,
): Item<C> {
  const { offset = 0, info, data, tags, time } = publication;
  const placed: Placed = {
    room,
    position: epoch !== undefined && offset > 0 ? { epoch, offset } : undefined,
    timeMs: typeof time === 'number' && time > 0 ? time : undefined,
  };
  const fields = fieldsOf(data);
  // Only the server publishes without an author and with this kind; a person's "kick" is no kick.
  if (fields?.['kind'] === 'kick' && info === undefined) {
    return { ...placed, type: 'kick', user: textOf(fields['user']), reason: textOf(fields['reason']) };
  }
  const sender = info === undefined ? undefined : whoOf(info);
  const { gateway, ...own } = tags ?? {};
  const content = fields === undefined ? undefined : read(fields);
  if (fields === undefined || content === undefined) return { ...placed, type: 'unknown', sender, gateway, tags: own, data };
  return { ...placed, type: 'message', id: textOf(fields['id']) || undefined, sender, gateway, tags: own, content };
}

/** Whose connection it is. */
export function whoOf(info: InfoLike): Who {
  const name = textOf(fieldsOf(info.connInfo)?.['name']);
  return { user: info.user, name: name === '' ? info.user : name, connectionId: info.client };
}

/** The fields of a JSON object; undefined for anything else. */
export function fieldsOf(data: unknown): Readonly<Record<string, unknown>> | undefined {
  return typeof data === 'object' && data !== null && !Array.isArray(data) ? (data as Record<string, unknown>) : undefined;
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
