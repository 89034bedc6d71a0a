// @vitest-environment node
/** The client as it is built, against the real server, which is killed in between. */
import { createRequire } from 'node:module';

import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';

import { Roomcast, isBuilt } from '../../e2e/roomcast';
import {
  memoryStore,
  openChat,
  readText,
  type Chat,
  type Content,
  type ContentReader,
  type HistoryRequest,
  type Item,
  type LinkState,
  type Room,
  type RoomEvent,
  type Store,
  type TextContent,
} from './index';

interface Poll extends Content {
  kind: 'poll';
  question: string;
}
type Said = TextContent | Poll;

const read: ContentReader<Said> = (data) =>
  data['kind'] === 'poll' && typeof data['question'] === 'string' ? { kind: 'poll', question: data['question'] } : readText(data);

const words = (content: Said): string => (content.kind === 'poll' ? content.question : content.text);
const said = (items: readonly RoomEvent<Said>[]): string[] =>
  items.filter((item) => item.type === 'message').map((item) => words(item.content));

const until = (holds: () => void): Promise<void> => vi.waitFor(holds, { timeout: 8_000, interval: 20 });
const text = (content: string): Said => ({ kind: 'text', text: content });
const websocket: unknown = createRequire(import.meta.url)('ws');

describe.skipIf(!isBuilt())('with the server of target/debug/roomcast', { timeout: 20_000 }, () => {
  let server: Roomcast;
  const chats: Chat<Said>[] = [];

  beforeAll(async () => {
    server = await Roomcast.start({ quiet: true });
  }, 30_000);
  afterAll(async () => {
    for (const chat of chats) chat.close();
    await server.end();
  });

  const open = (name: string, store: Store = memoryStore()): Chat<Said> => {
    const chat = openChat(
      {
        transports: `${server.url.replace('http', 'ws')}/ws`,
        getToken: () => server.token(name),
        store,
        reconnectDelayMaxMs: 300,
        environment: { websocket },
      },
      read,
    );
    chats.push(chat);
    return chat;
  };
  const enter = async (chat: Chat<Said>, name: string, options = {}): Promise<{ room: Room<Said>; events: RoomEvent<Said>[] }> => {
    const room = chat.join(name, options);
    const events: RoomEvent<Said>[] = [];
    room.listen((event) => events.push(event));
    await until(() => expect(room.state.get().kind).toBe('joined'));
    return { room, events };
  };

  it('is told who, where, when and what; counts and shows who is there', async () => {
    const [ann, bob] = [open('ann'), open('bob')];
    const there = await enter(bob, 'shapes');
    const { room } = await enter(ann, 'shapes');
    await until(() => expect(there.events.filter((event) => event.type === 'join' && event.who.name === 'ann')).toHaveLength(1));

    const { id, outcome } = await room.send({ kind: 'poll', question: 'tea?' });
    expect(await outcome).toEqual({ kind: 'sent', position: { epoch: expect.any(String) as string, offset: 1 }, duplicate: false });
    await until(() => expect(said(there.events)).toEqual(['tea?']));
    const { user } = ann.link.get() as Extract<LinkState, { kind: 'connected' }>;
    const message = there.events.find((event) => event.type === 'message');
    expect(message).toMatchObject({
      id, room: 'shapes', gateway: 'gateway-0', sender: { user, name: 'ann' }, position: { offset: 1 }, content: { kind: 'poll', question: 'tea?' },
    });
    expect(Math.abs((message?.timeMs ?? 0) - Date.now())).toBeLessThan(60_000);

    expect(await room.count()).toEqual({ kind: 'known', people: 2, connections: 2 });
    const presence = await room.presence();
    expect(presence.kind === 'known' && presence.connections.map((who) => who.name).sort()).toEqual(['ann', 'bob']);
    there.room.leave();
    await until(() => expect(room.position()?.offset).toBe(1));
    await vi.waitFor(async () => expect(await room.count()).toMatchObject({ people: 1 }), { timeout: 5_000 });
  });

  it('loses nothing and sends nothing twice when the server is killed, and pages the history both ways', async () => {
    const store = memoryStore();
    const [ann, bob] = [open('ann', store), open('bob')];
    const mine = await enter(ann, 'killed');
    const { events } = await enter(bob, 'killed');
    await (await mine.room.send(text('before'))).outcome;
    await until(() => expect(said(events)).toEqual(['before']));

    await server.kill();
    await until(() => expect(ann.link.get().kind).toBe('connecting'));
    const waiting = await Promise.all(['one', 'two', 'three'].map((content) => mine.room.send(text(content))));
    expect(ann.outbox.get().map((entry) => [words(entry.content), entry.state.kind])).toEqual([
      ['one', 'waiting'], ['two', 'waiting'], ['three', 'waiting'],
    ]);
    await server.again();
    const outcomes = await Promise.all(waiting.map(({ outcome }) => outcome));
    expect(outcomes.map((outcome) => outcome.kind === 'sent' && outcome.position?.offset)).toEqual([2, 3, 4]);
    await until(() => expect(said(events)).toEqual(['before', 'one', 'two', 'three']));
    expect(events.filter((event) => event.type === 'subscribed').map((event) => event.recovery)).toEqual(['none', 'complete']);
    expect(ann.outbox.get()).toEqual([]);

    const paged = async (request: HistoryRequest, put: (all: Item<Said>[], page: readonly Item<Said>[]) => void) => {
      const all: Item<Said>[] = [];
      let pages = 0;
      for (let next: HistoryRequest | undefined = request; next !== undefined; pages += 1) {
        const page = await mine.room.history(next);
        expect(page.head.offset).toBe(4);
        put(all, page.items);
        next = page.next;
      }
      return { said: said(all), pages };
    };
    const expected = { said: ['before', 'one', 'two', 'three'], pages: 2 };
    expect(await paged({ direction: 'forward', limit: 3 }, (all, page) => all.push(...page))).toEqual(expected);
    expect(await paged({ direction: 'backward', limit: 3 }, (all, page) => all.unshift(...page))).toEqual(expected);
  });

  it('sends a message of a program that died, once, and goes on at the stored position', async () => {
    const store = memoryStore();
    const first = open('ann', store);
    const before = await enter(first, 'died');
    const { id } = await before.room.send(text('kept'));
    await until(() => expect(said(before.events)).toEqual(['kept']));
    const at = before.room.position();
    expect(at?.offset).toBe(1);
    await before.room.keepPosition(at ?? { epoch: '', offset: 0 });
    first.close();
    // As if the program had died before the answer: the message stands in store and log.
    await store.set(`outbox/${id}`, JSON.stringify({ id, room: 'died', content: { kind: 'text', text: 'kept' }, createdMs: 1, order: 1, triedMs: Date.now() }));
    const bob = await enter(open('bob'), 'died');
    await (await bob.room.send(text('meanwhile'))).outcome;

    const second = open('ann', store);
    const after = await enter(second, 'died', { since: 'stored' });
    await until(() => expect(second.outbox.get()).toEqual([]));
    await until(() => expect(said(after.events)).toEqual(['meanwhile']));
    expect(after.events[0]).toMatchObject({ type: 'subscribed', recovery: 'complete', position: at });
    const page = await after.room.history({ direction: 'forward' });
    expect(said(page.items)).toEqual(['kept', 'meanwhile']);
  });

  it('sends each of many messages once and in order, although the server is killed among them', async () => {
    const ann = open('ann');
    const { events, room } = await enter(ann, 'among');
    const all = Array.from({ length: 60 }, (_, index) => `message ${index}`);
    const accepted = await Promise.all(all.map((content) => room.send(text(content))));
    await accepted[9]?.outcome;
    await server.kill();
    expect(ann.outbox.get().length).toBeGreaterThan(0);
    await server.again();
    const outcomes = await Promise.all(accepted.map(({ outcome }) => outcome));
    expect(outcomes.map((outcome) => outcome.kind === 'sent' && outcome.position?.offset)).toEqual(all.map((_, index) => index + 1));
    await until(() => expect(said(events)).toEqual(all));
    const page = await room.history({ direction: 'forward', limit: 300 });
    expect(said(page.items)).toEqual(all);
    expect(page.next).toBeUndefined();
  });

  it('is told of kicks and notices', async () => {
    const [ann, bob] = [open('ann'), open('bob')];
    const { events } = await enter(ann, 'kicks');
    const { room } = await enter(bob, 'kicks');
    const { user } = bob.link.get() as Extract<LinkState, { kind: 'connected' }>;
    const { issuer } = (await (await fetch(`${server.url}/config.json`)).json()) as { issuer: string };
    await server.admin('kick', 'kicks', user, '--issuer', issuer, '--reason', 'spam');
    await until(() => expect(room.state.get()).toMatchObject({ kind: 'ended', failure: { origin: 'close', code: 2_000 } }));
    await until(() => expect(events.find((event) => event.type === 'kick')).toMatchObject({ user, reason: 'spam', position: { offset: 1 } }));
    await server.admin('broadcast', 'Tea is served.', '--level', 'warning');
    await until(() => expect(bob.notices.get()).toMatchObject([{ level: 'warning', text: 'Tea is served.', personal: false }]));
  });

  it('asks for a token when the last one ends, and keeps the link', async () => {
    let asked = 0;
    const chat = openChat({
      transports: `${server.url.replace('http', 'ws')}/ws`,
      getToken: () => {
        asked += 1;
        return server.token('erin', '--ttl', '2');
      },
      environment: { websocket },
    });
    const states: string[] = [];
    chat.link.subscribe(() => states.push(chat.link.get().kind));
    await until(() => expect(asked).toBeGreaterThanOrEqual(2));
    await until(() => expect(states).toEqual(['connected']));
    chat.close();
    expect(states.at(-1)).toBe('closed');
  });

  it('says what the server refuses, and why', async () => {
    const ann = open('ann');
    const { room } = await enter(ann, 'refusals');
    await expect(room.history({ direction: 'forward', after: { epoch: 'another', offset: 0 } })).rejects.toMatchObject({
      name: 'ChatError', failure: { origin: 'reply', kind: 'final', code: 112, reason: 'POSITION_UNRECOVERABLE' },
    });
    const { outcome } = await ann.send('no such name!', text('x'));
    expect(await outcome).toMatchObject({ kind: 'refused', failure: { reason: 'INVALID_ARGUMENT' } });
    const nowhere = ann.join('no such name!');
    await until(() => expect(nowhere.state.get()).toMatchObject({ kind: 'ended', failure: { origin: 'reply', kind: 'final' } }));
    const since = await enter(ann, 'refusals-2', { since: { epoch: 'another', offset: 3 } });
    expect(since.events[0]).toMatchObject({ type: 'subscribed', recovery: 'lost' });

    const stranger = openChat({
      transports: `${server.url.replace('http', 'ws')}/ws`, getToken: () => Promise.resolve('no.such.token'), environment: { websocket },
    });
    await until(() => expect(stranger.link.get()).toMatchObject({ kind: 'closed', failure: { origin: 'close', code: 3500 } }));
  });
});
