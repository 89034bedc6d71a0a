/** What a room's view shows, in order: messages, and lines about who came and went. Pure. */

/** A message as it is shown. */
export interface ShownMessage {
  type: 'message';
  /** The message id. */
  id: string;
  offset: number;
  /** The author's subject; empty when a backend published it. */
  user: string;
  name: string;
  text: string;
  /** The gateway that took it. */
  gateway: string;
  /** Unix milliseconds. */
  time: number;
}

/** A line between messages. */
export interface ShownLine {
  type: 'line';
  id: string;
  text: string;
}

export type Shown = ShownMessage | ShownLine;

/** Entries kept in a view; older ones are in the history. */
const SHOWN_MAX = 500;

/** A publication as the SDK hands it over, as far as we look at it. */
export interface PublicationLike {
  data: unknown;
  offset?: number | undefined;
  info?: { user: string; connInfo?: unknown } | undefined;
  tags?: Record<string, string> | undefined;
  time?: number | undefined;
}

/** Turns a publication into what is shown; undefined if the payload is none of ours. */
export function shownOf(publication: PublicationLike): Shown | undefined {
  const data = publication.data;
  if (typeof data !== 'object' || data === null) return undefined;
  const field = (key: string): string => {
    const value = (data as Record<string, unknown>)[key];
    return typeof value === 'string' ? value : '';
  };
  const offset = publication.offset ?? 0;
  if (field('kind') === 'kick') {
    const reason = field('reason');
    return { type: 'line', id: `kick-${offset}`, text: `Somebody was removed from the room${reason && `: ${reason}`}.` };
  }
  const text = field('text');
  if (text === '') return undefined;
  return {
    type: 'message',
    id: field('id') || `offset-${offset}`,
    offset,
    user: publication.info?.user ?? '',
    name: nameOf(publication.info) || 'system',
    text,
    gateway: publication.tags?.['gateway'] ?? '',
    time: publication.time ?? 0,
  };
}

/** The name in a connection's info. */
export function nameOf(info: { user: string; connInfo?: unknown } | undefined): string {
  const name = (info?.connInfo as { name?: unknown } | undefined)?.name;
  return typeof name === 'string' && name !== '' ? name : (info?.user ?? '');
}

/** Adds an entry at the end, unless it stands there already. */
export function appended(shown: readonly Shown[], entry: Shown): readonly Shown[] {
  const known = shown.some((old) =>
    old.type === 'message' && entry.type === 'message' && entry.offset > 0
      ? old.offset === entry.offset
      : old.id === entry.id,
  );
  return known ? shown : [...shown, entry].slice(-SHOWN_MAX);
}

/** Puts a page of history in front of what is shown, each message once. */
export function withHistory(shown: readonly Shown[], history: readonly Shown[]): readonly Shown[] {
  const offsets = new Set(shown.map((entry) => (entry.type === 'message' ? entry.offset : -1)));
  const older = history.filter((entry) => entry.type !== 'message' || !offsets.has(entry.offset));
  return [...older, ...shown].slice(-SHOWN_MAX);
}
