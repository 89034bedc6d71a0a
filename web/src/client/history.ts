/** Pages of a room's log, and how to ask for the next one. */
import type { HistoryResult } from 'centrifuge';

import { itemOf, type Content, type ContentReader, type Item, type Position } from './message.js';

/** Which page of a room's log. `limit` is 1 to 300 items, 50 by default; the server may give fewer. */
export type HistoryRequest =
  /** Upwards: what stands after a position, or from the oldest item kept. */
  | { readonly direction: 'forward'; readonly after?: Position | undefined; readonly limit?: number }
  /** Downwards: what stands before a position, or the newest items. */
  | { readonly direction: 'backward'; readonly before?: Position | undefined; readonly limit?: number };

/** A page of a room's log. */
export interface HistoryPage<C extends Content> {
  /** Oldest first, whichever the direction. */
  readonly items: readonly Item<C>[];
  /** Where the log ended when the page was read. */
  readonly head: Position;
  /** What to ask for next in the same direction; undefined at the end. A page may be short before it. */
  readonly next: HistoryRequest | undefined;
}

const LIMIT = 50;
const LIMIT_MAX = 300;

/** The request as the SDK wants it. */
export function sdkRequest(request: HistoryRequest): { limit: number; reverse: boolean; since?: Position } {
  const asked = Math.trunc(request.limit ?? LIMIT);
  const limit = Math.min(LIMIT_MAX, Math.max(1, Number.isNaN(asked) ? LIMIT : asked));
  const since = request.direction === 'forward' ? request.after : request.before;
  return { limit, reverse: request.direction === 'backward', ...(since === undefined ? {} : { since }) };
}

/** The SDK's answer as a page. */
export function pageOf<C extends Content>(
  room: string,
  request: HistoryRequest,
  result: HistoryResult,
  read: ContentReader<C>,
): HistoryPage<C> {
  const { epoch, offset } = result;
  const items = result.publications.map((publication) => itemOf(room, epoch, publication, read));
  if (request.direction === 'backward') items.reverse();
  const edge = (request.direction === 'forward' ? items.at(-1) : items[0])?.position;
  const ended = edge === undefined || (request.direction === 'forward' ? edge.offset >= offset : edge.offset <= 1);
  const limit = request.limit === undefined ? {} : { limit: request.limit };
  const next: HistoryRequest =
    request.direction === 'forward'
      ? { direction: 'forward', after: edge, ...limit }
      : { direction: 'backward', before: edge, ...limit };
  return { items, head: { epoch, offset }, next: ended ? undefined : next };
}
