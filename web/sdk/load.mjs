// A crowd of the official SDK that talks all the time and keeps account of what it heard, while somebody else takes
// the servers away from under it. It speaks of itself as JSON, one object a line.
//
// URL is the gateway's, TOKEN_URL the issuer's, TOKEN_FORMS a JSON array of what is posted there, one for each user;
// CONNECTIONS, ROOMS, PAUSE_MS (between two messages of one connection) and DWELL_MS are numbers. It prints
// `{"mark":"begun"}` when all are there. `mark NAME` on standard input: it goes on for DWELL_MS, stops talking, waits
// until everybody heard everything, holds that against the rooms' logs, prints the figures since the last mark, and
// talks again. It ends with its input.
import { createInterface } from 'node:readline';
import { ledgers } from './load/ledger.mjs';
import { Person } from './load/person.mjs';
import { tokenSource } from './load/token.mjs';

const number = (name, otherwise) => Number(process.env[name] ?? otherwise);
const count = number('CONNECTIONS', 300);
const forms = JSON.parse(process.env.TOKEN_FORMS);
const sources = forms.map((form) => tokenSource(process.env.TOKEN_URL, form));
const rooms = ledgers(number('ROOMS', 10));

const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const settled = async (limitMs, holds) => {
  const end = Date.now() + limitMs;
  while (!holds() && Date.now() < end) await wait(20);
  return holds();
};

const people = Array.from({ length: count }, (_, index) => {
  const room = rooms[index % rooms.length];
  return new Person(process.env.URL, index, room, sources[index % sources.length], number('PAUSE_MS', 10_000));
});
for (const person of people) {
  person.come();
  await wait(10);
}
if (!(await settled(60_000, () => people.every((person) => person.here)))) {
  console.error(`only ${people.filter((person) => person.here).length} of ${count} came`);
  process.exit(1);
}
people.forEach((person) => person.talk());
console.log(JSON.stringify({ mark: 'begun', connections: count }));

const max = (values) => values.reduce((most, value) => Math.max(most, value), 0);
const sum = (values) => values.reduce((total, value) => total + value, 0);

async function mark(name) {
  // What a fault leaves behind may show itself a little later.
  await wait(number('DWELL_MS', 8_000));
  people.forEach((person) => person.hush());
  const quiet = await settled(60_000, () => people.every((person) => !person.sending));
  // A log can be read only by somebody who is there.
  await settled(30_000, () => people.every((person) => person.here));
  for (const room of rooms) await room.audit(people.find((person) => person.room === room && person.here));
  const caughtUp = await settled(30_000, () => people.every((person) => person.here && person.last === person.room.head));
  const figures = people.map((person) => person.takeFigures());
  const total = (key) => sum(figures.map((figure) => figure[key]));
  const most = (key) => Math.round(max(figures.map((figure) => figure[key])));
  const audits = rooms.map((room) => room.takeFigures());
  console.log(
    JSON.stringify({
      mark: name,
      connections: people.filter((person) => person.here).length,
      quiet,
      caught_up: caughtUp,
      published: total('published'),
      delivered: total('delivered'),
      lost: total('lost') + sum(audits.map((audit) => audit.lost)) + sum(people.map((person) => person.room.head - person.last)),
      doubled: total('doubled') + sum(audits.map((audit) => audit.doubled)),
      disagreed: sum(audits.map((audit) => audit.disagreed)),
      refused: total('refused'),
      reconnects: total('reconnects'),
      away_ms_max: most('awayMs'),
      publish_ms_max: most('publishMs'),
      delivery_ms_max: most('deliveryMs'),
    }),
  );
  people.forEach((person) => person.talk());
}

for await (const line of createInterface({ input: process.stdin })) {
  if (line.startsWith('mark ')) await mark(line.slice(5));
}
people.forEach((person) => person.leave());
process.exit(0);
