import { beforeEach, describe, expect, it } from 'vitest';

import { KeptPosition } from './position';
import { memoryStore, webStore, type Store } from './store';

beforeEach(() => localStorage.clear());

describe.each<[string, () => Store]>([
  ['memory', memoryStore],
  ['web', () => webStore(localStorage, 'ann.')],
])('the %s store', (_, make) => {
  it('keeps, replaces, finds by prefix and removes', async () => {
    localStorage.setItem('bob.a/1', 'of somebody else');
    const store = make();
    await store.set('a/1', 'one');
    await store.set('a/2', 'two');
    await store.set('b/1', 'other');
    await store.set('a/1', 'uno');
    await store.remove('a/2');
    await store.remove('nobody');
    expect(await store.entries('a/')).toEqual([['a/1', 'uno']]);
    expect([...(await store.entries(''))].sort()).toEqual([['a/1', 'uno'], ['b/1', 'other']]);
  });
});

it('rejects where the storage throws', async () => {
  const quota = (): never => {
    throw new Error('quota');
  };
  const nothing = { length: 0, key: () => null, getItem: () => null, removeItem: () => undefined };
  const full = webStore({ ...nothing, setItem: quota }, '');
  await expect(full.set('a', 'b')).rejects.toThrow('quota');
});

describe('the kept position', () => {
  it('is read again, does not go back, and takes a new epoch', async () => {
    const store = memoryStore();
    const kept = new KeptPosition(store, 'general');
    expect(await kept.load()).toBeUndefined();
    await kept.keep({ epoch: 'e', offset: 5 });
    await kept.keep({ epoch: 'e', offset: 3 });
    expect(await new KeptPosition(store, 'general').load()).toEqual({ epoch: 'e', offset: 5 });
    expect(await new KeptPosition(store, 'gen').load()).toBeUndefined();
    await kept.keep({ epoch: 'f', offset: 1 });
    expect(await new KeptPosition(store, 'general').load()).toEqual({ epoch: 'f', offset: 1 });
  });

  it('has one write under way and one waiting, with the newest place', async () => {
    const writes: string[] = [];
    const store: Store = { ...memoryStore(), set: (_, value) => Promise.resolve(void writes.push(value)) };
    const kept = new KeptPosition(store, 'general');
    await Promise.all(Array.from({ length: 100 }, (_, offset) => kept.keep({ epoch: 'e', offset: offset + 1 })));
    expect(writes.length).toBeLessThanOrEqual(2);
    expect(JSON.parse(writes.at(-1) ?? '')).toEqual({ epoch: 'e', offset: 100 });
  });

  it('goes on after a failed write, and takes no nonsense for a position', async () => {
    const store = memoryStore();
    let fail = true;
    const kept = new KeptPosition({ ...store, set: (key, value) => (fail ? Promise.reject(new Error('quota')) : store.set(key, value)) }, 'r');
    await expect(kept.keep({ epoch: 'e', offset: 1 })).rejects.toMatchObject({ failure: { reason: 'STORAGE' } });
    fail = false;
    await kept.keep({ epoch: 'e', offset: 1 });
    expect(await kept.load()).toEqual({ epoch: 'e', offset: 1 });
    await store.set('position/r', '{"epoch":7}');
    expect(await kept.load()).toBeUndefined();
  });
});
