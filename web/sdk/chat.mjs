// Two people talk in a room, each on a gateway of their own.
import assert from 'node:assert/strict';
import { connect, event, freshRoom, heardAll, inOrder, listen, nameOf, newClient, ok, pack, say, subscribe, unpack } from './stage.mjs';

export async function chat() {
  const room = freshRoom('chat');
  const [ann, bob] = [newClient(0, 'ann'), newClient(1, 'bob')];
  const system = event(ann, 'subscribed', (context) => context.channel === 'system');
  for (const context of await Promise.all([connect(ann), connect(bob)])) assert.ok(context.client.length > 0);
  await system;
  ok('connect');

  const [here, there] = [listen(ann, room), listen(bob, room)];
  await subscribe(here.subscription);
  const joined = event(here.subscription, 'join', (context) => nameOf(context.info) === 'bob');
  const subscribed = await subscribe(there.subscription);
  assert.equal(subscribed.recoverable, true);
  assert.equal(subscribed.positioned, true);
  assert.equal(subscribed.wasRecovering, false);
  await joined;
  ok('subscribe');

  await publish(here, there);
  await batch(ann, here, there);
  await call(ann, room);
  await history(there.subscription);

  const { clients } = await here.subscription.presence();
  assert.deepEqual(Object.values(clients).map(nameOf).sort(), ['ann', 'bob']);
  const stats = await there.subscription.presenceStats();
  assert.deepEqual([stats.numClients, stats.numUsers], [2, 2]);
  ok('presence');

  const left = event(here.subscription, 'leave', (context) => nameOf(context.info) === 'bob');
  there.subscription.unsubscribe();
  await left;
  assert.equal((await here.subscription.presenceStats()).numClients, 1);
  const back = event(here.subscription, 'join', (context) => nameOf(context.info) === 'bob');
  await say(here.subscription, 2);
  const again = await subscribe(there.subscription);
  await back;
  ok('leave and join');

  // Who comes back to a room hears what was said meanwhile, and nothing twice.
  assert.deepEqual([again.wasRecovering, again.recovered], [true, true]);
  await say(here.subscription, 1);
  for (const { heard } of [here, there]) await heardAll(heard, 1, 49);
  ok('unsubscribe');
  [ann, bob].forEach((client) => client.disconnect());
}

// Both at once and without waiting for answers: one order for all, in which each author's own is kept.
async function publish(here, there) {
  const author = (subscription, name) =>
    Promise.all(Array.from({ length: 20 }, (_, index) => subscription.publish(pack({ name, index }))));
  await Promise.all([author(here.subscription, 'ann'), author(there.subscription, 'bob')]);
  for (const { heard } of [here, there]) {
    await heardAll(heard, 1, 40);
    for (const name of ['ann', 'bob']) {
      const own = heard.filter((publication) => nameOf(publication.info) === name);
      const said = own.map(({ data }) => unpack(data));
      if (!inOrder) said.sort((one, other) => one.index - other.index);
      assert.deepEqual(said, Array.from({ length: 20 }, (_, index) => ({ name, index })));
    }
  }
  assert.deepEqual(here.heard.map(({ data }) => unpack(data)), there.heard.map(({ data }) => unpack(data)));
  ok('publish');
}

// Several commands in one frame: their answers come too, and their order is kept.
async function batch(client, here, there) {
  client.startBatching();
  const said = say(here.subscription, 5);
  const stats = here.subscription.presenceStats();
  client.stopBatching();
  await said;
  assert.equal((await stats).numClients, 2);
  await heardAll(there.heard, 1, 45);
  assert.deepEqual(there.heard.slice(40).map(({ data }) => unpack(data).text), ['0', '1', '2', '3', '4']);
  ok('batch');
}

async function call(client, room) {
  const message = pack({ room, id: 'message-of-ann', data: { text: 'by rpc' } });
  const sent = unpack((await client.rpc('room.send', message)).data);
  assert.deepEqual([sent.offset, sent.duplicate], [46, false]);
  const again = unpack((await client.rpc('room.send', message)).data);
  assert.deepEqual([again.offset, again.duplicate], [46, true]);
  await assert.rejects(client.rpc('room.nonsense', pack({})), { code: 104 });
  ok('rpc');
}

async function history(subscription) {
  const offsets = async (options) =>
    (await subscription.history(options)).publications.map((publication) => publication.offset);
  const top = await subscription.history({});
  assert.deepEqual([top.offset, top.publications], [46, []]);
  const since = { offset: 5, epoch: top.epoch };
  assert.deepEqual(await offsets({ limit: 3 }), [1, 2, 3]);
  assert.deepEqual(await offsets({ limit: 3, since }), [6, 7, 8]);
  assert.deepEqual(await offsets({ limit: 3, reverse: true }), [46, 45, 44]);
  assert.deepEqual(await offsets({ limit: 3, since, reverse: true }), [4, 3, 2]);
  assert.equal((await offsets({ limit: -1 })).length, 46);
  await assert.rejects(offsets({ limit: 3, since: { offset: 5, epoch: 'wrong' } }), { code: 112 });
  ok('history');
}
