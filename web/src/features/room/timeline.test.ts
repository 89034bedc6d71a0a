import { describe, expect, it } from 'vitest';

import type { Item } from '../../client';
import { appended, shownOf, withHistory, type Shown } from './timeline';

const item = (offset: number): Item => ({
  type: 'message',
  room: 'general',
  id: `id-${offset}`,
  position: { epoch: 'e', offset },
  sender: { user: 'u1', name: 'Ann', connectionId: 'c1' },
  gateway: 'g1',
  tags: {},
  timeMs: 5,
  content: { kind: 'text', text: `text ${offset}` },
});

const message = (offset: number): Shown => {
  const shown = shownOf(item(offset));
  if (shown === undefined) throw new Error('no message');
  return shown;
};

describe('timeline', () => {
  it('shows who wrote and which server took it', () => {
    expect(message(1)).toMatchObject({ name: 'Ann', gateway: 'g1', text: 'text 1', offset: 1, time: 5 });
    expect(shownOf({ ...item(1), sender: undefined } as Item)).toMatchObject({ name: 'system', user: '' });
  });

  it('shows each message once, whichever way it came', () => {
    const live = appended(appended([], message(2)), message(3));
    const all = withHistory(live, [message(1), message(2)]);
    expect(all.map((entry) => entry.id)).toEqual(['id-1', 'id-2', 'id-3']);
    expect(appended(all, message(3))).toBe(all);
  });

  it('shows a kick as a line and leaves out what it does not know', () => {
    const placed = { room: 'general', position: { epoch: 'e', offset: 7 }, timeMs: 5 };
    expect(shownOf({ ...placed, type: 'kick', user: 'u2', reason: 'spam' })).toEqual({
      type: 'line', id: 'kick-7', text: 'Somebody was removed from the room: spam.',
    });
    expect(shownOf({ ...placed, type: 'unknown', sender: undefined, gateway: undefined, tags: {}, data: 7 })).toBeUndefined();
  });

  it('is bounded', () => {
    let shown: readonly Shown[] = [];
    for (let offset = 1; offset <= 600; offset += 1) shown = appended(shown, message(offset));
    expect(shown).toHaveLength(500);
  });
});
