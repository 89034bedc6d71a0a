/** The all-in-one as a child of the tests: on free ports, with data of its own, to be killed and started again. */
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';

/** The program under test. */
export const binary = resolve(process.env['ROOMCAST_BINARY'] ?? '../target/debug/roomcast');

/** Whether there is a program to test. One that was named must be there, so that a wrong name is told. */
export const isBuilt = (): boolean => process.env['ROOMCAST_BINARY'] !== undefined || existsSync(binary);

const READY_WAIT_MS = 200;
const READY_TRIES = 150;

const freePort = (): Promise<number> =>
  new Promise((done, fail) => {
    const probe = createServer();
    probe.once('error', fail);
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() => (typeof address === 'object' && address !== null ? done(address.port) : fail(new Error('no port'))));
    });
  });

export class Roomcast {
  private child: ChildProcess | undefined;

  private constructor(
    private readonly folder: string,
    private readonly ops: number,
    private readonly adminPort: number,
    /** Where browsers go, without a slash at the end. */
    readonly url: string,
    private readonly quiet: boolean,
  ) {}

  /** Starts it and waits until it is ready. A quiet one keeps its log to itself. */
  static async start({ quiet = false } = {}): Promise<Roomcast> {
    const folder = mkdtempSync(join(tmpdir(), 'roomcast-e2e-'));
    const [main, ops, admin] = await Promise.all([freePort(), freePort(), freePort()]);
    const config = [
      '[gateway]', `listen = "127.0.0.1:${main}"`, 'gateway_id = "gateway-0"',
      '[rooms]', `admin_listen = "127.0.0.1:${admin}"`,
      '[ops]', `listen = "127.0.0.1:${ops}"`,
      '[roomcast]', 'data_dir = "data"',
    ];
    writeFileSync(join(folder, 'roomcast.toml'), config.join('\n'));
    const roomcast = new Roomcast(folder, ops, admin, `http://127.0.0.1:${main}`, quiet);
    await roomcast.again();
    return roomcast;
  }

  /** Starts it once more, on the same ports and data. */
  async again(): Promise<void> {
    const child = spawn(binary, ['serve', '--config', 'roomcast.toml'], {
      cwd: this.folder,
      stdio: this.quiet ? 'ignore' : 'inherit',
    });
    this.child = child;
    for (let tries = 0; ; tries += 1) {
      const ready = await fetch(`http://127.0.0.1:${this.ops}/readyz`).then((answer) => answer.ok, () => false);
      if (ready) return;
      if (tries > READY_TRIES || child.exitCode !== null) throw new Error('the server did not get ready');
      await new Promise((wait) => setTimeout(wait, READY_WAIT_MS));
    }
  }

  /** Ends it as a crash would. */
  async kill(): Promise<void> {
    const { child } = this;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((done) => child.once('exit', done));
    child.kill('SIGKILL');
    await ended;
  }

  /** Ends it and removes its data. */
  async end(): Promise<void> {
    await this.kill();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** An access token of the built-in issuer. */
  token(name: string, ...options: string[]): Promise<string> {
    return this.run(['token', name, '--config', 'roomcast.toml', ...options]);
  }

  /** Runs an admin command, for example `broadcast`, as an admin. */
  async admin(...words: string[]): Promise<string> {
    const token = await this.token('ops', '--role', 'admin');
    return this.run(['admin', '--address', `http://127.0.0.1:${this.adminPort}`, '--token', token, ...words]);
  }

  private async run(words: string[]): Promise<string> {
    const { stdout } = await promisify(execFile)(binary, words, { cwd: this.folder });
    return stdout.trim();
  }
}
