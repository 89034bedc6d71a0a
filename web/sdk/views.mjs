// What a client may ask of how it sees a room: patches instead of whole messages, and a part of them.
import assert from 'node:assert/strict';
import { connect, cuts, cutTwice, event, freshRoom, heardAll, listen, newClient, ok, pack, subscribe, unpack, until, want } from './stage.mjs';

export async function views() {
  await patches();
  await sifted();
}

// A document that lives: mostly the same from one time to the next, now and then quite another. It holds
// characters of every length, what JSON must escape, and line breaks.
const edit = (before, turn) => {
  if (turn % 23 === 0) return { turn, text: `entirely new ${Math.random()}`.repeat(turn % 5) };
  const words = ['plain', 'größer', '日本語', '🙂🙃', '"quoted"', '\\back', 'two\nlines', '\u0007', 'x'.repeat(turn * 7)];
  const list = [...(before.list ?? [])];
  list.splice(turn % (list.length + 1), turn % 3, words[turn % words.length]);
  return { turn, title: 'Лог of a long match', list: list.slice(-30), score: { home: Math.floor(turn / 9), away: turn % 4 } };
};

// Two hundred messages, of which some are said while bob is away: he puts together what history holds.
async function patches() {
  const room = freshRoom('delta:match');
  const [ann, bob] = [newClient(0, 'ann'), newClient(1, 'bob')];
  await Promise.all([connect(ann), connect(bob)]);
  const here = listen(ann, room);
  const there = listen(bob, room, { delta: 'fossil' });
  await Promise.all([subscribe(here.subscription), subscribe(there.subscription)]);
  // In Protobuf the SDK would drop what has a number.
  const numbered = process.env.FORMAT === 'json';
  for (const { subscription } of [here, there]) assert.equal(subscription._id > 0, numbered);

  let [turn, state] = [0, {}];
  const write = async (last) => {
    while (turn < last) await here.subscription.publish(pack((state = edit(state, (turn += 1)))));
  };
  await write(70);
  await heardAll(there.heard, 1, 70);
  let away = 0;
  bob.on('connecting', () => (away += 1));
  for (const [wish, times, last] of [['cut 1', 1, 130], [cutTwice, 1 + cuts, 170]]) {
    const back = event(there.subscription, 'subscribed');
    await want(wish);
    await write(last - 10);
    const { recovered } = await back;
    assert.equal(recovered, true);
    await until('bob is away', () => away === times);
    await write(last);
    await heardAll(there.heard, 1, last);
  }
  await write(200);
  for (const { heard } of [here, there]) await heardAll(heard, 1, 200);

  const { publications } = await there.subscription.history({ limit: -1 });
  assert.equal(publications.length, 200);
  const inLog = publications.map(({ data }) => unpack(data));
  for (const { heard } of [here, there]) assert.deepEqual(heard.map(({ data }) => unpack(data)), inLog);
  const { numPublications, numDeltaPayloads, compressionRatio } = there.subscription.deltaStats();
  assert.equal(numPublications, 200);
  assert.ok(numDeltaPayloads > 150 && compressionRatio > 0.5, `${numDeltaPayloads} patches, ${compressionRatio}`);
  ok('patches');
  [ann, bob].forEach((client) => client.disconnect());
}

// Who wants a part gets that part, live and after a loss.
async function sifted() {
  const room = freshRoom('sift:news');
  const [ann, bob] = [newClient(0, 'ann'), newClient(1, 'bob')];
  await Promise.all([connect(ann), connect(bob)]);
  const tagsFilter = {
    op: 'and',
    nodes: [
      { key: 'topic', cmp: 'in', vals: ['sport', 'weather'] },
      { op: 'not', nodes: [{ key: 'weight', cmp: 'lt', val: '2.50' }] },
    ],
  };
  const { subscription, heard } = listen(bob, room, { tagsFilter });
  await subscribe(subscription);
  const topics = ['sport', 'politics', 'weather'];
  let said = 0;
  const tell = async (count) => {
    for (const end = said + count; said < end; said += 1) {
      const tags = { topic: topics[said % 3], weight: `${said % 5}` };
      await ann.rpc('room.send', pack({ room, id: `message-${said}`, tags, data: { said } }));
    }
  };
  const wanted = () => Array.from({ length: said }, (_, n) => n).filter((n) => n % 3 !== 1 && n % 5 >= 3);
  const agrees = async () => {
    await until('what is wanted is heard', () => heard.length >= wanted().length);
    assert.deepEqual(heard.map(({ data }) => unpack(data).said), wanted());
  };
  await tell(20);
  await agrees();
  const back = event(subscription, 'subscribed');
  await want('cut 1');
  await tell(20);
  assert.equal((await back).recovered, true);
  await tell(20);
  await agrees();

  const plain = listen(ann, freshRoom('plain'), { tagsFilter });
  const refused = event(plain.subscription, 'unsubscribed');
  plain.subscription.subscribe();
  assert.equal((await refused).code, 107);
  ok('filter');
  [ann, bob].forEach((client) => client.disconnect());
}
