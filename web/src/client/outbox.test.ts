import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import type { Failure } from './failure';
import { readText, type TextContent } from './message';
import { Outbox, type OutboxParts } from './outbox';
import { memoryStore, webStore, type Store } from './store';

type Parts = OutboxParts<TextContent>;

const text = (words: string): TextContent => ({ kind: 'text', text: words });
const sent = { position: { epoch: 'e', offset: 1 }, duplicate: false };
// As the SDK has them, but errors.
const noAnswer = Object.assign(new Error('connection closed'), { code: 11 });
const denied = Object.assign(new Error('permission denied'), { code: 103, temporary: false });

let reported: Failure[];

const outboxOf = (parts: Partial<Parts>): Outbox<TextContent> =>
  new Outbox({
    store: memoryStore(),
    read: readText,
    send: () => Promise.resolve(sent),
    report: (failure) => reported.push(failure),
    entriesMax: 200,
    ...parts,
  });

/** A sending that writes down what is tried, and does as told. */
const recorder = (act: (words: string) => Promise<typeof sent> = () => Promise.resolve(sent)) => {
  const tries: { room: string; id: string; words: string }[] = [];
  const send: Parts['send'] = (room, id, content) => {
    tries.push({ room, id, words: content.text });
    return act(content.text);
  };
  return { tries, send, words: () => tries.map((one) => one.words) };
};

const outcome = async (outbox: Outbox<TextContent>, words: string, room = 'general') => {
  const accepted = await outbox.add(room, text(words));
  await vi.runAllTimersAsync();
  return accepted.outcome;
};

describe('outbox', () => {
  beforeEach(() => {
    reported = [];
    localStorage.clear();
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it('stores a message before it is first sent, and forgets it when it is acknowledged', async () => {
    const store = webStore(localStorage, 'ann.');
    const seen: (string | null)[] = [];
    const { send } = recorder();
    const outbox = outboxOf({
      store,
      send: (room, id, content) => {
        seen.push(localStorage.getItem(`ann.outbox/${id}`));
        return send(room, id, content);
      },
    });
    outbox.setOnline(true);
    expect(await outcome(outbox, 'hello')).toEqual({ kind: 'sent', ...sent });
    expect(JSON.parse(seen[0] ?? '')).toMatchObject({ room: 'general', content: { text: 'hello' } });
    expect(localStorage).toHaveLength(0);
    expect(outbox.entries.get()).toEqual([]);
  });

  it('keeps messages over a restart and sends them in order under the same ids', async () => {
    const store = webStore(localStorage, 'ann.');
    const first = outboxOf({ store, send: () => Promise.reject(noAnswer) });
    first.setOnline(true);
    const ids = [await first.add('general', text('one')), await first.add('general', text('two'))].map(({ id }) => id);
    first.close();

    const { tries, send } = recorder();
    const second = outboxOf({ store, send });
    second.setOnline(true);
    await vi.runAllTimersAsync();
    expect(tries.map(({ id }) => id)).toEqual(ids);
    expect(localStorage).toHaveLength(0);
  });

  it('tries again after a transient failure, in order, and sends nothing while there is no link', async () => {
    let failures = 2;
    const { send, words, tries } = recorder(() => (failures-- > 0 ? Promise.reject(noAnswer) : Promise.resolve(sent)));
    const outbox = outboxOf({ send });
    await outbox.add('general', text('one'));
    await outbox.add('general', text('two'));
    await vi.runAllTimersAsync();
    expect(tries).toEqual([]);

    outbox.setOnline(true);
    await vi.runAllTimersAsync();
    expect(words()).toEqual(['one', 'one', 'one', 'two']);
    expect(new Set(tries.slice(0, 3).map(({ id }) => id)).size).toBe(1);
  });

  it('keeps the order of messages handed over in one turn, however slow the store is with the first', async () => {
    const store = memoryStore();
    let slow = true;
    const set: Store['set'] = async (key, value) => {
      if (slow) {
        slow = false;
        await new Promise((done) => setTimeout(done, 100));
      }
      return store.set(key, value);
    };
    const { send, words } = recorder();
    const outbox = outboxOf({ send, store: { ...store, set } });
    outbox.setOnline(true);
    void outbox.add('general', text('one'));
    void outbox.add('general', text('two'));
    await vi.runAllTimersAsync();
    expect(words()).toEqual(['one', 'two']);
  });

  it('has one message of a room on its way, and lets no room wait for another', async () => {
    const { send, words } = recorder((tried) => (tried.startsWith('stuck') ? new Promise(() => undefined) : Promise.resolve(sent)));
    const outbox = outboxOf({ send });
    outbox.setOnline(true);
    await outbox.add('a', text('stuck'));
    await outbox.add('a', text('behind'));
    await outbox.add('b', text('other room'));
    await vi.runAllTimersAsync();
    expect(words()).toEqual(['stuck', 'other room']);
    expect(outbox.entries.get().map((entry) => entry.state.kind)).toEqual(['sending', 'waiting']);
  });

  it('marks a refused message, goes on with the next, and lets it be retried or discarded', async () => {
    let refuse = true;
    const { send, words } = recorder((tried) => (tried === 'bad' && refuse ? Promise.reject(denied) : Promise.resolve(sent)));
    const outbox = outboxOf({ send });
    outbox.setOnline(true);
    const ended = await outcome(outbox, 'bad');
    expect(ended).toMatchObject({ kind: 'refused', failure: { origin: 'reply', code: 103, reason: 'PERMISSION_DENIED' } });
    expect(await outcome(outbox, 'good')).toMatchObject({ kind: 'sent' });
    const [bad] = outbox.entries.get();
    expect(bad).toMatchObject({ content: { text: 'bad' }, state: { kind: 'refused' } });

    refuse = false;
    outbox.retry(bad?.id ?? '');
    await vi.runAllTimersAsync();
    expect(words()).toEqual(['bad', 'good', 'bad']);

    refuse = true;
    await outcome(outbox, 'bad');
    expect(await outbox.discard(outbox.entries.get()[0]?.id ?? '')).toBe(true);
    expect(await outbox.discard('nobody')).toBe(false);
    expect(outbox.entries.get()).toEqual([]);
  });

  it('does not send again what the server may have forgotten, unless the person says so', async () => {
    const store = memoryStore();
    const first = outboxOf({ store, send: () => Promise.reject(noAnswer) });
    first.setOnline(true);
    await first.add('general', text('tried'));
    first.close();
    const never = outboxOf({ store: memoryStore() });
    await never.add('general', text('never tried'));
    vi.setSystemTime(Date.now() + 24 * 3_600_000);

    const { send, words } = recorder();
    const second = outboxOf({ store, send });
    second.setOnline(true);
    never.setOnline(true);
    await vi.runAllTimersAsync();
    expect(words()).toEqual([]);
    expect(second.entries.get()[0]?.state).toMatchObject({ kind: 'refused', failure: { reason: 'TOO_OLD' } });
    expect(never.entries.get()).toEqual([]);
    second.retry(second.entries.get()[0]?.id ?? '');
    await vi.runAllTimersAsync();
    expect(words()).toEqual(['tried']);
  });

  it('has a bound, and takes nothing that cannot be stored, is too large, or is no message', async () => {
    const full = outboxOf({ entriesMax: 2 });
    const kept = await Promise.allSettled(['1', '2', '3'].map((words) => full.add('general', text(words))));
    expect(kept.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected']);

    const broken = outboxOf({ store: { ...memoryStore(), set: () => Promise.reject(new Error('quota')) } });
    await expect(broken.add('general', text('x'))).rejects.toMatchObject({ failure: { reason: 'STORAGE', text: 'quota' } });
    expect(broken.entries.get()).toEqual([]);
    await expect(full.add('general', text('x'))).rejects.toMatchObject({ failure: { reason: 'OUTBOX_FULL' } });

    const outbox = outboxOf({});
    await expect(outbox.add('general', text('é'.repeat(30_000)))).rejects.toMatchObject({ failure: { reason: 'MESSAGE_TOO_LARGE' } });
    await expect(outbox.add('general', text(''))).rejects.toMatchObject({ failure: { reason: 'MESSAGE_INVALID' } });
    outbox.close();
    await expect(outbox.add('general', text('x'))).rejects.toMatchObject({ failure: { reason: 'CLOSED' } });
  });

  it('leaves foreign entries of the store alone and says so', async () => {
    const store = memoryStore();
    await store.set('outbox/1', '{');
    await store.set('outbox/2', JSON.stringify({ id: '2', room: 'general', createdMs: 1, order: 1, content: { kind: 'poll' } }));
    const outbox = outboxOf({ store });
    await vi.runAllTimersAsync();
    expect(outbox.entries.get()).toEqual([]);
    expect(reported.map((failure) => failure.text)).toHaveLength(2);
    expect(await store.entries('outbox/')).toHaveLength(2);
  });

  it('tells that a message is not sent yet when it is closed', async () => {
    const outbox = outboxOf({});
    const { outcome: ended } = await outbox.add('general', text('later'));
    outbox.close();
    expect(await ended).toEqual({ kind: 'unsent' });
    expect(vi.getTimerCount()).toBe(0);
  });
});
