// The SDK against a server that was started with one of the documented config files, by each transport in turn.
// URL leads there; TOKENS maps a name to its connection token and `name@room` to the one for a room, or is `{}`.
import assert from 'node:assert/strict';
import WebSocket from 'ws';

const { Centrifuge } = await import('centrifuge');
const { event, freshRoom, heardAll, connect, listen, subscribe, ok, leaveStage } = await import('./stage.mjs');
const { host } = new URL(process.env.URL);
const tokens = JSON.parse(process.env.TOKENS);
const room = process.env.ROOM;

const ways = {
  websocket: { endpoint: `ws://${host}/connection/websocket`, options: { websocket: WebSocket } },
  http_stream: { endpoint: `http://${host}/connection/http_stream`, options: {} },
  sse: { endpoint: `http://${host}/connection/sse`, options: { eventsource: globalThis.EventSource } },
};

const somebody = (transport, name) => {
  const { endpoint, options } = ways[transport];
  const token = tokens[name] ? { token: tokens[name] } : {};
  return new Centrifuge([{ transport, endpoint }], {
    emulationEndpoint: `http://${host}/emulation`,
    minReconnectDelay: 50,
    maxReconnectDelay: 500,
    ...token,
    ...options,
  });
};

const into = (client, name, channel) => {
  const token = tokens[`${name}@${channel}`];
  return listen(client, channel, token ? { token } : {});
};

for (const transport of Object.keys(ways)) {
  const channel = room === 'any' ? freshRoom('any') : `${room}:${transport}`;
  const [ann, bob] = [somebody(transport, 'ann'), somebody(transport, 'bob')];
  await Promise.all([connect(ann), connect(bob)]);
  const [here, there] = [into(ann, 'ann', channel), into(bob, 'bob', channel)];
  await subscribe(here.subscription);
  const joined = event(here.subscription, 'join');
  await subscribe(there.subscription);
  await joined;
  await there.subscription.publish({ text: 'one' });
  await here.subscription.publish(['any', 2, null]);
  for (const { heard } of [here, there]) await heardAll(heard, 1, 2);
  assert.equal(Object.keys((await here.subscription.presence()).clients).length, 2);
  assert.equal((await here.subscription.presenceStats()).numClients, 2);
  const { publications } = await there.subscription.history({ limit: -1 });
  assert.deepEqual(publications.map(({ data }) => data), [{ text: 'one' }, ['any', 2, null]]);

  // Offline for a while, and back: nothing missed and nothing twice.
  ann.disconnect();
  for (let count = 3; count <= 12; count += 1) await there.subscription.publish({ count });
  const back = event(here.subscription, 'subscribed');
  await connect(ann);
  const again = await back;
  assert.deepEqual([again.wasRecovering, again.recovered], [true, true]);
  for (const { heard } of [here, there]) await heardAll(heard, 1, 12);
  const left = event(here.subscription, 'leave');
  bob.disconnect();
  await left;
  ann.disconnect();
  ok(transport);
}
leaveStage();
