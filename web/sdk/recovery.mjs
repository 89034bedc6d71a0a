// Bob loses his connection, or his gateway, in each way there is, and hears everything once all the same.
import assert from 'node:assert/strict';
import { connect, cuts, cutTwice, event, freshRoom, heardAll, listen, newClient, ok, say, subscribe, until, want } from './stage.mjs';

export async function recovery() {
  const room = freshRoom('recovery');
  const [ann, bob] = [newClient(0, 'ann'), newClient(1, 'bob')];
  await Promise.all([connect(ann), connect(bob)]);
  const [here, there] = [listen(ann, room), listen(bob, room)];
  const { streamPosition } = await subscribe(here.subscription);
  await subscribe(there.subscription);
  await say(here.subscription, 3);

  let away = 0;
  bob.on('connecting', () => (away += 1));
  // What takes bob away so often while ann goes on; both have heard `last` messages in the end.
  const lose = async (wish, times, last) => {
    away = 0;
    const back = event(there.subscription, 'subscribed');
    await want(wish);
    await say(here.subscription, 3);
    const recovered = await back;
    await until('bob is away', () => away === times);
    assert.deepEqual([recovered.wasRecovering, recovered.recovered], [true, true]);
    await say(here.subscription, 1);
    for (const { heard } of [here, there]) await heardAll(heard, 1, last);
  };
  await lose('cut 1', 1, 7);
  ok('recovery after a cut');
  await lose(cutTwice, cuts, 11);
  if (cuts === 2) ok('double reconnect');
  await lose('kill 1', 1, 15);
  await say(there.subscription, 1);
  for (const { heard } of [here, there]) await heardAll(heard, 1, 16);
  ok('killed gateway');
  await want('restart 1');
  await lose('cut 1', 1, 20);
  ok('recovery on another gateway');

  await wrongEpoch(room);
  await state(room, streamPosition.epoch);
  await newest();
  [ann, bob].forEach((client) => client.disconnect());
}

// A position of another life of the room: told honestly, and what is said from now on is heard.
async function wrongEpoch(room) {
  const carol = newClient(1, 'carol');
  await connect(carol);
  const { subscription, heard } = listen(carol, room, { since: { offset: 2, epoch: 'wrong' } });
  const subscribed = await subscribe(subscription);
  assert.deepEqual([subscribed.wasRecovering, subscribed.recovered], [true, false]);
  assert.equal(subscribed.streamPosition.offset, 20);
  await say(subscription, 1);
  await heardAll(heard, 21, 21);
  ok('wrong epoch');
  carol.disconnect();
}

// The application keeps the position itself. It is asked once more when the first one leads nowhere.
async function state(room, epoch) {
  const dave = newClient(1, 'dave');
  await connect(dave);
  const positions = [{ offset: 2, epoch: 'wrong' }, { offset: 2, epoch }];
  const { subscription, heard } = listen(dave, room, { getState: async () => positions.shift() });
  const subscribed = await subscribe(subscription);
  assert.deepEqual([subscribed.wasRecovering, subscribed.recovered, positions.length], [true, true, 0]);
  await heardAll(heard, 3, 21);
  ok('state');
  dave.disconnect();
}

// In a room of the kind `cache` whoever comes, or comes back, is given the newest message alone.
async function newest() {
  const room = `cache:${freshRoom('board')}`;
  const [erin, frank] = [newClient(0, 'erin'), newClient(1, 'frank')];
  await Promise.all([connect(erin), connect(frank)]);
  const board = listen(erin, room);
  await subscribe(board.subscription);
  await say(board.subscription, 5);
  const seen = listen(frank, room, { since: {} });
  const first = await subscribe(seen.subscription);
  assert.deepEqual([first.wasRecovering, first.recovered], [true, true]);
  await heardAll(seen.heard, 5, 5);
  const back = event(seen.subscription, 'subscribed');
  await want('cut 1');
  const again = await back;
  assert.deepEqual([again.wasRecovering, again.recovered], [true, true]);
  await say(board.subscription, 1);
  await heardAll(seen.heard, 5, 6);
  seen.subscription.unsubscribe();
  await say(board.subscription, 3);
  const late = await subscribe(seen.subscription);
  assert.deepEqual([late.wasRecovering, late.recovered], [true, true]);
  await until('the newest alone', () => seen.heard.at(-1).offset === 9);
  assert.deepEqual(seen.heard.map((publication) => publication.offset), [5, 6, 9]);
  ok('newest');
  [erin, frank].forEach((client) => client.disconnect());
}
