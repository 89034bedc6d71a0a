// Tokens of three seconds. The SDK asks the application for fresh ones; the gateway gives 3 s of grace.
import assert from 'node:assert/strict';
import { connect, event, newClient, ok, until, want } from './stage.mjs';

// A client whose tokens end soon, the times it asked for one, and a switch for the place they come from.
const shortLived = (door, name) => {
  const tokens = { asked: 0, broken: false };
  const getToken = async () => {
    tokens.asked += 1;
    if (tokens.broken) throw new Error('no tokens today');
    return want(`token ${name} 3`);
  };
  return { tokens, client: newClient(door, name, { getToken }) };
};

export const tokens = () => Promise.all([refresh(), expiryWhileConnected(), expiryWhileOffline(), forged()]);

// Connected for longer than the first token and its grace last, and never away.
async function refresh() {
  const { tokens, client } = shortLived(0, 'erin');
  await connect(client);
  let away = 0;
  client.on('connecting', () => (away += 1));
  await until('four tokens', () => tokens.asked >= 4);
  assert.deepEqual([client.state, away], ['connected', 0]);
  ok('refresh');
  client.disconnect();
}

// No fresh token to be had: the gateway closes, and the client is back when there are some again.
async function expiryWhileConnected() {
  const { tokens, client } = shortLived(0, 'frank');
  await connect(client);
  tokens.broken = true;
  await event(client, 'connecting', (context) => context.code === 3005);
  tokens.broken = false;
  await event(client, 'connected');
  ok('expiry while connected');
  client.disconnect();
}

// The token ends while there is no way to the gateway: error 109 makes the SDK ask for another.
async function expiryWhileOffline() {
  const { tokens, client } = shortLived(1, 'grace');
  await connect(client);
  const ended = Date.now() + 4_000;
  const lost = event(client, 'connecting');
  await want('shut 1');
  await lost;
  const { asked } = tokens;
  await until('the end of the token', () => Date.now() > ended);
  const back = event(client, 'connected');
  await want('open 1');
  await back;
  assert.ok(tokens.asked > asked);
  ok('expiry while offline');
  client.disconnect();
}

// A token that nobody trusted has signed ends it for good.
async function forged() {
  const client = newClient(0, 'mallory', { getToken: () => want('forged-token mallory') });
  const ended = event(client, 'disconnected');
  client.connect();
  assert.equal((await ended).code, 3500);
  ok('forged token');
}
