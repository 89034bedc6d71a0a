import { describe, expect, it } from 'vitest';

import { appended, shownOf, withHistory, type Shown } from './timeline';

const message = (offset: number): Shown => {
  const shown = shownOf({
    data: { id: `id-${offset}`, kind: 'text', text: `text ${offset}` },
    offset,
    info: { user: 'u1', connInfo: { name: 'Ann' } },
    tags: { gateway: 'g1' },
    time: 5,
  });
  if (shown === undefined) throw new Error('no message');
  return shown;
};

describe('timeline', () => {
  it('shows who wrote and which server took it', () => {
    expect(message(1)).toMatchObject({ name: 'Ann', gateway: 'g1', text: 'text 1', offset: 1 });
  });

  it('shows each message once, whichever way it came', () => {
    const live = appended(appended([], message(2)), message(3));
    const all = withHistory(live, [message(1), message(2)]);
    expect(all.map((entry) => entry.id)).toEqual(['id-1', 'id-2', 'id-3']);
    expect(appended(all, message(3))).toBe(all);
  });

  it('takes no payload that is not a chat message', () => {
    for (const data of [null, 7, 'text', {}, { text: 7 }, { kind: 'text' }]) {
      expect(shownOf({ data, offset: 1 })).toBeUndefined();
    }
  });

  it('is bounded', () => {
    let shown: readonly Shown[] = [];
    for (let offset = 1; offset <= 600; offset += 1) shown = appended(shown, message(offset));
    expect(shown).toHaveLength(500);
  });
});
