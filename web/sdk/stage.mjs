// What the stories are played on: clients of the official SDK as it is installed, each behind a door of
// the test, and the test itself, which is told by `want WISH` what to do and answers with one line.
import assert from 'node:assert/strict';
import { createInterface } from 'node:readline';
import { TextDecoder, TextEncoder } from 'node:util';
import WebSocket from 'ws';

const protobuf = process.env.FORMAT === 'protobuf';
const { Centrifuge } = await import(protobuf ? 'centrifuge/build/protobuf' : 'centrifuge');
const doors = process.env.DOORS.split(',');
// Behind the doors is TLS, or plain HTTP.
const secure = Boolean(process.env.TLS);
// How to cut again as soon as an answer has come, and how often one is away then. A door cannot tell an
// answer inside of TLS: there it cuts once.
export const [cutTwice, cuts] = secure ? ['cut 1', 1] : ['cut-twice 1', 2];
const s = secure ? 's' : '';

// Whether what a client sends goes by one way: beside a stream each frame is a request of its own, and they
// may overtake each other.
export const inOrder = process.env.TRANSPORT === 'websocket';

// What is sent beside a stream goes through a door of its own, for all to the same gateway.
const beside = { emulationEndpoint: `http${s}://${process.env.SIDE_DOOR}/emulation` };

// How a client gets through a door, by the name that the SDK has for the transport.
const transports = {
  websocket: (door) => ({ endpoint: `ws${s}://${door}/ws`, options: { websocket: WebSocket } }),
  http_stream: (door) => ({ endpoint: `http${s}://${door}/connection/http_stream`, options: beside }),
  sse: (door) => ({
    endpoint: `http${s}://${door}/connection/sse`,
    options: { eventsource: globalThis.EventSource, ...beside },
  }),
};

// With Protobuf the SDK hands over bytes; in JSON, values.
export const pack = (value) => (protobuf ? new TextEncoder().encode(JSON.stringify(value)) : value);
export const unpack = (data) => (protobuf ? JSON.parse(new TextDecoder().decode(data)) : data);
export const nameOf = (info) => unpack(info.connInfo).name;

export const ok = (step) => console.log(`ok ${step}`);

const waiting = [];
const input = createInterface({ input: process.stdin });
input.on('line', (line) => waiting.shift()(line));
export const want = (wish) =>
  new Promise((resolve) => {
    waiting.push(resolve);
    console.log(`want ${wish}`);
  });
export const leaveStage = () => input.close();

export const until = async (what, holds) => {
  for (let tries = 0; !holds(); tries += 1) {
    assert.ok(tries < 1_000, `${what}: not within 20 s`);
    await new Promise((wait) => setTimeout(wait, 20));
  }
};

export const event = (emitter, name, wanted = () => true) =>
  new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no ${name} within 20 s`)), 20_000);
    const listener = (context) => {
      if (!wanted(context)) return;
      clearTimeout(timer);
      emitter.removeListener(name, listener);
      resolve(context);
    };
    emitter.on(name, listener);
  });

export const freshRoom = (word) => `${word}-${Math.random().toString(36).slice(2, 10)}`;

// Somebody behind a door; `options` are the SDK's own.
export const newClient = (door, name, options = {}) => {
  const transport = process.env.TRANSPORT;
  const way = transports[transport](doors[door]);
  const client = new Centrifuge([{ transport, endpoint: way.endpoint }], {
    minReconnectDelay: 50,
    maxReconnectDelay: 500,
    getToken: () => want(`token ${name} 600`),
    ...way.options,
    ...options,
  });
  client.on('error', (context) => console.error(name, JSON.stringify(context)));
  return client;
};

export const connect = async (client) => {
  const connected = event(client, 'connected');
  client.connect();
  return connected;
};

export const subscribe = async (subscription) => {
  const subscribed = event(subscription, 'subscribed');
  subscription.subscribe();
  return subscribed;
};

// A subscription that can recover, and all that it hears.
export const listen = (client, room, options = {}) => {
  const subscription = client.newSubscription(room, {
    positioned: true,
    recoverable: true,
    joinLeave: true,
    minResubscribeDelay: 50,
    maxResubscribeDelay: 500,
    ...options,
  });
  const heard = [];
  subscription.on('publication', (publication) => heard.push(publication));
  return { subscription, heard };
};

// Every offset from `first` to `last` was heard, once and in order; a push may come after the publish's answer.
export const heardAll = async (heard, first, last) => {
  await until(`offsets up to ${last}`, () => heard.at(-1)?.offset >= last);
  const offsets = Array.from({ length: last - first + 1 }, (_, index) => first + index);
  assert.deepEqual(heard.map((publication) => publication.offset), offsets);
};

export const say = (subscription, count) => {
  const texts = Array.from({ length: count }, (_, index) => ({ kind: 'text', text: `${index}` }));
  return Promise.all(texts.map((data) => subscription.publish(pack(data))));
};
