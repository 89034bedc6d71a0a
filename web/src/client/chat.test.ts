import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { FakeSdk } from '../testing/fakeSdk';
import { LinkedChat, type ChatOptions } from './chat';
import { SignedOutError, type Failure } from './failure';
import { readText, type TextContent } from './message';
import type { RoomEvent } from './room';
import { endpointOf, tokenSupply } from './sdk';
import { memoryStore } from './store';

const opened = (options: Pick<ChatOptions, 'store' | 'onFailure'> = {}) => {
  const fake = new FakeSdk();
  return { fake, chat: new LinkedChat(fake.sdk, options, readText) };
};

const joined = (name = 'general') => {
  const { fake, chat } = opened();
  fake.connected();
  const room = chat.join(name);
  const events: RoomEvent<TextContent>[] = [];
  room.listen((event) => events.push(event));
  return { fake, chat, room, events, subscription: fake.subscription(name) };
};

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe('link', () => {
  it('goes from connecting to connected and back, and is closed once', () => {
    const { fake, chat } = opened();
    expect(chat.link.get()).toEqual({ kind: 'connecting', code: 0, text: 'connect called' });
    fake.connected();
    expect(chat.link.get()).toEqual({
      kind: 'connected', gateway: 'g1', connectionId: 'c1', user: 'u1', name: 'Ann', transport: 'websocket',
    });
    fake.emit('connecting', { code: 3001, reason: 'shutdown' });
    expect(chat.link.get()).toEqual({ kind: 'connecting', code: 3001, text: 'shutdown' });
    chat.close();
    expect(chat.link.get()).toEqual({ kind: 'closed', failure: undefined });
    expect(fake.disconnects).toBe(1);
    fake.emit('disconnected', { code: 0, reason: 'disconnect called' });
    expect(chat.link.get()).toEqual({ kind: 'closed', failure: undefined });
    expect(() => chat.join('general')).toThrow('the chat is closed');
  });

  it.each([
    [3500, { origin: 'close', kind: 'final', code: 3500 }],
    [1, { origin: 'local', kind: 'final', reason: 'SIGNED_OUT' }],
    [103, { origin: 'reply', kind: 'final', reason: 'PERMISSION_DENIED' }],
  ])('says why the code %d ended it, and ends its rooms', (code, failure) => {
    const { fake, chat, room } = joined();
    fake.emit('disconnected', { code, reason: 'why' });
    expect(chat.link.get()).toMatchObject({ kind: 'closed', failure });
    expect(room.state.get()).toMatchObject({ kind: 'ended', failure });
    expect(fake.subscriptions.size).toBe(0);
  });

  it('tells notices once, and what is impaired as long as it is', () => {
    const { fake, chat } = opened();
    fake.connected({ degraded: true });
    expect(chat.degraded.get()).toBe('Redundancy service is not available.');
    const tell = (channel: string, data: unknown) => fake.emit('publication', { channel, data });
    tell('system', { kind: 'notice', id: 'redundancy', level: 'info', text: 'It is back.', degraded: false });
    expect(chat.degraded.get()).toBeUndefined();
    for (let n = 0; n < 7; n += 1) tell('system', { kind: 'notice', id: `n${n}`, level: 'warning', text: `text ${n}` });
    tell('user:abc', { kind: 'notice', id: 'n6', text: 'for you' });
    for (const data of [null, 7, {}, { kind: 'notice' }]) tell('system', data);
    tell('elsewhere', { kind: 'notice', id: 'x', text: 'no' });
    expect(chat.notices.get().map(({ id }) => id)).toEqual(['n2', 'n3', 'n4', 'n5', 'n6']);
    expect(chat.notices.get().at(-1)).toEqual({ id: 'n6', level: 'info', text: 'for you', personal: true });
    chat.dismissNotice('n6');
    expect(chat.notices.get()).toHaveLength(4);
  });

  it('sends what was written before there was a link', async () => {
    const { fake, chat } = opened();
    const { id, outcome } = await chat.send('general', { kind: 'text', text: 'early' });
    expect(fake.calls).toEqual([]);
    fake.connected();
    await vi.runAllTimersAsync();
    expect(fake.calls).toEqual([{ room: 'general', id, data: { id, kind: 'text', text: 'early' } }]);
    expect(await outcome).toEqual({ kind: 'sent', position: { epoch: 'e', offset: 1 }, duplicate: false });
  });
});

describe('room', () => {
  it('is joined, left by the cut of a link, recovered, and each item told once in order', () => {
    const { room, events, subscription } = joined();
    expect(room.state.get()).toEqual({ kind: 'joining' });
    subscription.subscribed({ offset: 4 });
    expect(room.state.get()).toEqual({ kind: 'joined' });
    subscription.message(5);
    subscription.emit('subscribing', { code: 1, reason: 'transport closed' });
    expect(room.state.get()).toEqual({ kind: 'joining' });
    subscription.subscribed({ wasRecovering: true, recovered: true, offset: 5 });
    subscription.message(5);
    subscription.message(6);
    expect(room.position()).toEqual({ epoch: 'e', offset: 6 });
    expect(events.map((event) => (event.type === 'subscribed' ? event.recovery : event.type === 'message' && event.position?.offset)))
      .toEqual(['none', 5, 'complete', 6]);
  });

  it('says when the way back is lost, and goes on in the new epoch', () => {
    const { events, subscription } = joined();
    subscription.subscribed({ offset: 90 });
    subscription.subscribed({ wasRecovering: true, recovered: false, offset: 2, epoch: 'f' });
    subscription.message(3);
    expect(events).toMatchObject([
      { recovery: 'none' },
      { recovery: 'lost', position: { epoch: 'f', offset: 2 } },
      { type: 'message', position: { epoch: 'f', offset: 3 } },
    ]);
  });

  it('begins at a stored position, and says so when that cannot be read', async () => {
    const store = memoryStore();
    const first = opened({ store });
    await first.chat.join('general').keepPosition({ epoch: 'e', offset: 7 });
    const second = opened({ store });
    second.chat.join('general', { since: 'stored' });
    await vi.runAllTimersAsync();
    expect(second.fake.subscription('general').options).toMatchObject({ since: { epoch: 'e', offset: 7 } });

    const failures: Failure[] = [];
    const broken = opened({ store: { ...store, entries: () => Promise.reject(new Error('gone')) }, onFailure: (one) => failures.push(one) });
    const events: RoomEvent<TextContent>[] = [];
    broken.chat.join('general', { since: 'stored' }).listen((event) => events.push(event));
    await vi.runAllTimersAsync();
    broken.fake.subscription('general').subscribed({ offset: 9 });
    expect(events).toMatchObject([{ recovery: 'lost' }]);
    expect(failures).toMatchObject([{ reason: 'STORAGE' }, { reason: 'STORAGE' }]);
  });

  it('tells kicks of the server, and takes no person\'s word for one; tags are told without the gateway\'s own', () => {
    const { room, events, subscription } = joined();
    subscription.subscribed({ offset: 0 });
    const info = { user: 'eve', client: 'c', connInfo: {} };
    const tags = { gateway: 'g1', lang: 'de' };
    subscription.emit('publication', { offset: 1, info, tags, data: { kind: 'kick', user: 'ann', reason: 'ha' } });
    subscription.emit('publication', { offset: 2, data: { kind: 'kick', user: 'eve', reason: 'spam' }, time: 5 });
    subscription.emit('join', { info });
    expect(events.slice(1)).toEqual([
      { type: 'unknown', room: 'general', position: { epoch: 'e', offset: 1 }, timeMs: undefined, gateway: 'g1',
        tags: { lang: 'de' }, sender: { user: 'eve', name: 'eve', connectionId: 'c' }, data: { kind: 'kick', user: 'ann', reason: 'ha' } },
      { type: 'kick', room: 'general', position: { epoch: 'e', offset: 2 }, timeMs: 5, user: 'eve', reason: 'spam' },
      { type: 'join', who: { user: 'eve', name: 'eve', connectionId: 'c' } },
    ]);
    subscription.emit('unsubscribed', { code: 2000, reason: 'kicked: spam' });
    expect(room.state.get()).toEqual({
      kind: 'ended', failure: { origin: 'close', kind: 'final', code: 2000, text: 'kicked: spam' },
    });
  });

  it('is one room however often it is joined, can be joined again, and there are so many of them', () => {
    const { chat, room } = joined();
    expect(chat.join('general')).toBe(room);
    room.leave();
    expect(room.state.get()).toEqual({ kind: 'ended', failure: undefined });
    expect(chat.join('general')).not.toBe(room);
    for (let n = 1; n < 100; n += 1) chat.join(`room-${n}`);
    expect(() => chat.join('one-more')).toThrow('100 rooms are joined already');
  });

  it('outlives a listener that throws', () => {
    const { room, events, subscription } = joined();
    const thrown = new Error('a mistake of the application');
    room.listen(() => { throw thrown; });
    const after: string[] = [];
    room.listen((event) => after.push(event.type));
    subscription.subscribed({ offset: 0 });
    expect(after).toEqual(['subscribed']);
    expect(events).toHaveLength(1);
    expect(() => vi.runAllTimers()).toThrow(thrown);
  });
});

describe('set-up of the SDK', () => {
  it('gives one WebSocket as a URL and more as a list, in order', () => {
    expect(endpointOf('ws://a/ws')).toBe('ws://a/ws');
    expect(endpointOf([{ kind: 'websocket', url: 'ws://a/ws' }])).toBe('ws://a/ws');
    expect(endpointOf([{ kind: 'websocket', url: 'ws://a/ws' }, { kind: 'http_stream', url: 'http://a/h' }, { kind: 'sse', url: 'http://a/s' }])).toEqual([
      { transport: 'websocket', endpoint: 'ws://a/ws' },
      { transport: 'http_stream', endpoint: 'http://a/h' },
      { transport: 'sse', endpoint: 'http://a/s' },
    ]);
  });

  it('bounds the wait for a token and passes on that nobody is signed in', async () => {
    expect(await tokenSupply(() => Promise.resolve('t'), 100)()).toBe('t');
    const never = tokenSupply(() => new Promise(() => undefined), 100)();
    const ended = expect(never).rejects.toThrow('no token within 100 ms');
    await vi.runAllTimersAsync();
    await ended;
    const out = tokenSupply(() => Promise.reject(new SignedOutError('signed out')), 100)();
    await expect(out).rejects.toMatchObject({ name: 'UnauthorizedError' });
    expect(vi.getTimerCount()).toBe(0);
  });
});
