// Writes golden/*.hex from golden/*.json by the Protobuf codec inside the official JavaScript SDK, so
// that the goldens are another implementation's bytes. To be run by hand, with the SDK's folder:
//   node from_sdk.mjs ../../../../web/node_modules/centrifuge
import { mkdtempSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const sdk = resolve(process.argv[2]);
const golden = join(import.meta.dirname, '..', 'golden');

// The bundle keeps its codec to itself: a copy of it that gives it away.
const copy = join(mkdtempSync(join(tmpdir(), 'codec-')), 'codec.mjs');
const bundle = readFileSync(join(sdk, 'build/protobuf/index.mjs'), 'utf8');
writeFileSync(copy, `${bundle}\nexport { $root as root };\n`);
const { protocol } = (await import(copy)).root.centrifugal.centrifuge;

// What the schema calls bytes is the text of a JSON value in the JSON files.
const BYTES = new Set(['data', 'conn_info', 'chan_info']);
// 64 bits are more than a number holds here.
const LONG = new Set(['offset', 'time', 'flag']);

// Reads JSON, keeping the text of payloads; zero scalars are left out, as proto3 says.
const read = (text) => {
  let at = 0;
  const blank = () => { while (/\s/.test(text[at] ?? '')) at += 1; };
  const string = () => {
    const from = at;
    for (at += 1; text[at] !== '"'; at += 1) if (text[at] === '\\') at += 1;
    at += 1;
    return JSON.parse(text.slice(from, at));
  };
  const value = () => {
    blank();
    if (text[at] === '{') {
      const object = {};
      for (at += 1, blank(); text[at] !== '}'; blank()) {
        const key = string();
        blank();
        at += 1;
        blank();
        const from = at;
        const inner = value();
        if (BYTES.has(key)) object[key] = new TextEncoder().encode(text.slice(from, at));
        else if (LONG.has(key)) object[key] = long(text.slice(from, at));
        else object[key] = inner;
        blank();
        if (text[at] === ',') at += 1;
        blank();
      }
      at += 1;
      return object;
    }
    if (text[at] === '[') {
      const list = [];
      for (at += 1, blank(); text[at] !== ']'; blank()) {
        list.push(value());
        blank();
        if (text[at] === ',') at += 1;
        blank();
      }
      at += 1;
      return list;
    }
    if (text[at] === '"') return string();
    const from = at;
    while (/[\w.+-]/.test(text[at] ?? '')) at += 1;
    return JSON.parse(text.slice(from, at));
  };
  return value();
};

// As the codec takes 64 bits: in two halves.
const long = (digits) => {
  const bits = BigInt.asUintN(64, BigInt(digits));
  return { low: Number(bits & 0xffffffffn) | 0, high: Number(bits >> 32n) | 0, unsigned: true };
};

const zero = (field) => field === 0 || field === '' || field === false || (field.low === 0 && field.high === 0);
// Entries of maps stay, whatever they hold.
const MAPS = new Set(['subs', 'presence', 'tags', 'headers']);
const strip = (message, map) => {
  if (message === null || typeof message !== 'object' || message instanceof Uint8Array) return message;
  if (Array.isArray(message)) return message.map((item) => strip(item, false));
  if ('unsigned' in message) return message;
  const kept = Object.entries(message).filter(([, field]) => map || !zero(field));
  return Object.fromEntries(kept.map(([key, field]) => [key, strip(field, MAPS.has(key) && typeof field === 'object' && !('channel' in field))]));
};

for (const file of readdirSync(golden).filter((name) => name.endsWith('.json'))) {
  const name = file.slice(0, -'.json'.length);
  const type = name.startsWith('command_') ? protocol.Command : protocol.Reply;
  const message = strip(read(readFileSync(join(golden, file), 'utf8')), false);
  const frame = type.encodeDelimited(message).finish();
  writeFileSync(join(golden, `${name}.hex`), `${Buffer.from(frame).toString('hex')}\n`);
}
