// The official SDK as it is installed, against two gateways: what an application does in its first hour.
// Run by the system's tests with URLS and TOKENS; prints "ok STEP" for each step.
import assert from 'node:assert/strict';
import { Centrifuge } from 'centrifuge';
import WebSocket from 'ws';

const urls = (process.env.URLS ?? '').split(',');
const tokens = (process.env.TOKENS ?? '').split(',');
const room = `sdk-${Math.random().toString(36).slice(2, 10)}`;
const options = { websocket: WebSocket, minReconnectDelay: 50, maxReconnectDelay: 500 };
const ok = (step) => console.log(`ok ${step}`);

const until = async (holds) => {
  for (let tries = 0; !holds(); tries += 1) {
    assert.ok(tries < 500, 'not within 10 s');
    await new Promise((wait) => setTimeout(wait, 20));
  }
};

const event = (emitter, name, wanted = () => true) =>
  new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no ${name} within 10 s`)), 10_000);
    const listener = (context) => {
      if (!wanted(context)) return;
      clearTimeout(timer);
      emitter.removeListener(name, listener);
      resolve(context);
    };
    emitter.on(name, listener);
  });

const clients = tokens.map((token, index) => {
  // Transports in turn: after a cut the SDK may come back on the other gateway.
  const client = new Centrifuge(urls[index % urls.length], { ...options, token });
  client.on('error', (context) => console.error('error', JSON.stringify(context)));
  return client;
});
const [ann, bob] = clients;

const connected = clients.map((client) => event(client, 'connected'));
clients.forEach((client) => client.connect());
for (const context of await Promise.all(connected)) assert.ok(context.client.length > 0);
ok('connect');

const subs = clients.map((client) =>
  client.newSubscription(room, { positioned: true, recoverable: true, joinLeave: true }),
);
const heard = subs.map((sub) => {
  const list = [];
  sub.on('publication', (publication) => list.push(publication));
  return list;
});
const subscribed = subs.map((sub) => event(sub, 'subscribed'));
const joined = event(subs[0], 'join', (context) => context.info.connInfo?.name === 'bob');
subs[0].subscribe();
await subscribed[0];
subs[1].subscribe();
const context = await subscribed[1];
assert.equal(context.recoverable, true);
assert.equal(context.positioned, true);
await joined;
ok('subscribe');

const arrived = event(subs[1], 'publication');
await subs[0].publish({ kind: 'text', text: 'one' });
const publication = await arrived;
assert.equal(publication.offset, 1);
assert.equal(publication.info.connInfo.name, 'ann');
assert.deepEqual(publication.data, { kind: 'text', text: 'one' });
await bob.publish(room, { kind: 'text', text: 'two' });
const sent = await ann.rpc('room.send', { room, id: 'sdk-message-3', data: { id: 'sdk-message-3', text: 'three' } });
assert.equal(sent.data.offset, 3);
ok('publish');

const history = await subs[1].history({ limit: 10 });
assert.deepEqual(history.publications.map((item) => item.offset), [1, 2, 3]);
assert.equal(history.offset, 3);
const newest = await subs[1].history({ limit: 1, reverse: true });
assert.equal(newest.publications[0].offset, 3);
ok('history');

const presence = await subs[0].presence();
assert.deepEqual(Object.values(presence.clients).map((info) => info.connInfo.name).sort(), ['ann', 'bob']);
const stats = await subs[0].presenceStats();
assert.equal(stats.numClients, 2);
assert.equal(stats.numUsers, 2);
ok('presence');

// Cut bob's socket without a word; meanwhile ann goes on.
const back = event(subs[1], 'subscribed');
bob._transport._transport.terminate();
for (const text of ['four', 'five', 'six']) await subs[0].publish({ kind: 'text', text });
const recovered = await back;
assert.equal(recovered.wasRecovering, true);
assert.equal(recovered.recovered, true);
await subs[0].publish({ kind: 'text', text: 'seven' });
// A push may come before or after the publish's own answer.
for (const list of heard) {
  await until(() => list.length >= 7);
  assert.deepEqual(list.map((item) => item.offset), [1, 2, 3, 4, 5, 6, 7]);
}
ok('recovery after a cut');

const left = event(subs[0], 'leave', (item) => item.info.connInfo?.name === 'bob');
subs[1].unsubscribe();
await left;
ok('leave');

clients.forEach((client) => client.disconnect());
