/** A Keycloak with two people and the all-in-one behind it, as a child of the tests that ends with its input. */
import { spawn } from 'node:child_process';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline';

/** How long access tokens hold: so short that a minute of chat needs several. */
export const TOKEN_SECONDS = 10;

/** Somebody who can sign in. */
export interface Person {
  name: string;
  password: string;
}

/** What the child says of itself. */
export interface Stage {
  /** Where the page is. */
  page: string;
  /** The realm's issuer. */
  issuer: string;
  people: [Person, Person];
}

const binary = resolve(process.env['ROOMCAST_CLUSTER'] ?? '../target/debug/roomcast-cluster');

/** Starts it before all tests. Keycloak takes half a minute. */
export default async function start(): Promise<() => Promise<void>> {
  const child = spawn(binary, ['keycloak', String(TOKEN_SECONDS)], { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = new Promise<void>((done) => child.once('exit', () => done()));
  const lines = createInterface({ input: child.stdout });
  const said = await Promise.race([
    new Promise<string>((done) => lines.once('line', done)),
    ended.then(() => { throw new Error('roomcast-cluster ended before it was ready'); }),
  ]);
  process.env['SIGNIN_STAGE'] = said;
  return async () => {
    child.stdin.end();
    await ended;
  };
}

/** What `start` left for the tests. */
export function stage(): Stage {
  return JSON.parse(process.env['SIGNIN_STAGE'] ?? '') as Stage;
}
