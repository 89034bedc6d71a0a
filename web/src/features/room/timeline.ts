/** What a room's view shows, in order: messages, and lines about who came and went. Pure. */
import type { Item } from '../../client';

/** A message as it is shown. */
export interface ShownMessage {
  type: 'message';
  /** The message id; made of the offset where there is none. */
  id: string;
  offset: number;
  /** The author's subject; empty when a backend published it. */
  user: string;
  name: string;
  text: string;
  /** The gateway that took it. */
  gateway: string;
  /** Unix milliseconds; 0 when it is not known. */
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

/** Turns an item of the log into what is shown; undefined for what this page does not know. */
export function shownOf(item: Item): Shown | undefined {
  const offset = item.position?.offset ?? 0;
  switch (item.type) {
    case 'unknown':
      return undefined;
    case 'kick':
      return {
        type: 'line',
        id: `kick-${offset}`,
        text: `Somebody was removed from the room${item.reason && `: ${item.reason}`}.`,
      };
    case 'message':
      return {
        type: 'message',
        id: item.id ?? `offset-${offset}`,
        offset,
        user: item.sender?.user ?? '',
        name: item.sender?.name || 'system',
        text: item.content.text,
        gateway: item.gateway ?? '',
        time: item.timeMs ?? 0,
      };
  }
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
