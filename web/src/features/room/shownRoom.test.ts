import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import type { Chat, Count, RoomEvent, TextContent } from '../../client';
import { ShownRoom } from './shownRoom';

type Listener = (event: RoomEvent<TextContent>) => void;

/** A room whose events and count are the test's to say. */
function stage() {
  let tell: Listener = () => undefined;
  const said = { people: 1 };
  const count = vi.fn(() => Promise.resolve<Count>({ kind: 'known', people: said.people, connections: said.people }));
  const room = {
    listen: (listener: Listener) => { tell = listener; },
    leave: vi.fn(),
    history: () => Promise.resolve({ items: [] }),
    count,
  };
  const shown = new ShownRoom({ join: () => room } as unknown as Chat, 'general');
  const join = () => tell({ type: 'join', who: { name: 'ben' } } as RoomEvent<TextContent>);
  return { shown, said, count, join };
}

const people = (shown: ShownRoom) => {
  const count = shown.count.get();
  return count?.kind === 'known' ? count.people : undefined;
};

beforeEach(() => { vi.useFakeTimers(); });
afterEach(() => { vi.useRealTimers(); });

test('somebody who comes unannounced is counted within ten seconds', async () => {
  const { shown, said, join } = stage();
  join();
  await vi.advanceTimersByTimeAsync(300);
  expect(people(shown)).toBe(1);
  said.people = 2;
  await vi.advanceTimersByTimeAsync(10_000);
  expect(people(shown)).toBe(2);
});

test('people who come without an end are counted all the same, once a third of a second', async () => {
  const { shown, count, join } = stage();
  for (let come = 0; come < 30; come += 1) {
    join();
    await vi.advanceTimersByTimeAsync(100);
  }
  expect(people(shown)).toBe(1);
  expect(count.mock.calls.length).toBeGreaterThanOrEqual(7);
  expect(count.mock.calls.length).toBeLessThanOrEqual(10);
});

test('a room that was left asks nothing more', async () => {
  const { shown, count, join } = stage();
  join();
  await vi.advanceTimersByTimeAsync(300);
  shown.close();
  join();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(count).toHaveBeenCalledTimes(1);
});
