// What is refused, and what a hasty application does.
import assert from 'node:assert/strict';
import { connect, event, freshRoom, heardAll, inOrder, listen, nameOf, newClient, ok, pack, say, subscribe, until } from './stage.mjs';

export async function limits() {
  await forbidden();
  await tooLarge();
  await changeOfMind();
  await oneFrame();
}

// A room of the system's own is no room to come into; the client stays, without that subscription.
async function forbidden() {
  const ann = newClient(0, 'ann');
  await connect(ann);
  const { subscription } = listen(ann, 'user:somebody');
  const refused = event(subscription, 'unsubscribed');
  subscription.subscribe();
  assert.equal((await refused).code, 103);
  assert.equal(ann.state, 'connected');
  ok('forbidden room');
  ann.disconnect();
}

// More than a frame may hold ends the client for good, so that it does not send the same again.
async function tooLarge() {
  const ann = newClient(0, 'ann');
  await connect(ann);
  const ended = event(ann, 'disconnected');
  const sent = ann.publish(freshRoom('large'), pack({ text: 'x'.repeat(70_000) }));
  await assert.rejects(sent);
  if (!inOrder) {
    // Beside a stream it is that one request which is refused; the stream goes on.
    assert.equal(ann.state, 'connected');
    ok('too large');
    ann.disconnect();
    return;
  }
  assert.equal((await ended).code, 3);
  ok('too large');
}

// In and out without waiting: the last word counts, for the room's members too.
async function changeOfMind() {
  const room = freshRoom('hasty');
  const [ann, bob] = [newClient(0, 'ann'), newClient(1, 'bob')];
  await Promise.all([connect(ann), connect(bob)]);
  const [here, there] = [listen(ann, room), listen(bob, room)];
  let present = 0;
  const count = (step) => (context) => {
    if (nameOf(context.info) === 'bob') present += step;
  };
  here.subscription.on('join', count(1)).on('leave', count(-1));
  await subscribe(here.subscription);
  for (let round = 0; round < 10; round += 1) {
    there.subscription.subscribe();
    if (round % 3 === 0) await new Promise((wait) => setTimeout(wait, round));
    there.subscription.unsubscribe();
  }
  await subscribe(there.subscription);
  await say(here.subscription, 3);
  for (const { heard } of [here, there]) await heardAll(heard, 1, 3);
  await until('bob is here once', () => present === 1);
  assert.equal((await here.subscription.presenceStats()).numClients, 2);
  ok('change of mind');
  [ann, bob].forEach((client) => client.disconnect());
}

// Who subscribes before it connects sends all of it in one frame, before any answer.
async function oneFrame() {
  const dave = newClient(1, 'dave');
  const ears = ['one', 'two', 'three'].map((word) => listen(dave, freshRoom(word)));
  const subscribed = ears.map(({ subscription }) => subscribe(subscription));
  await connect(dave);
  await Promise.all(subscribed);
  for (const { subscription, heard } of ears) {
    await say(subscription, 2);
    await heardAll(heard, 1, 2);
  }
  ok('one frame');
  dave.disconnect();
}
