/** Starts the all-in-one for the browser tests, on free ports and with data of its own, and stops it. */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const freePort = (): Promise<number> =>
  new Promise((done, fail) => {
    const probe = createServer();
    probe.once('error', fail);
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() => (typeof address === 'object' && address !== null ? done(address.port) : fail(new Error('no port'))));
    });
  });

export default async function start(): Promise<() => Promise<void>> {
  const binary = process.env['ROOMCAST_BINARY'] ?? resolve('../target/debug/roomcast');
  const folder = mkdtempSync(join(tmpdir(), 'roomcast-e2e-'));
  const [main, ops, admin] = await Promise.all([freePort(), freePort(), freePort()]);
  const config = [
    '[gateway]', `listen = "127.0.0.1:${main}"`, 'gateway_id = "gateway-0"',
    '[rooms]', `admin_listen = "127.0.0.1:${admin}"`,
    '[ops]', `listen = "127.0.0.1:${ops}"`,
    '[roomcast]', 'data_dir = "data"',
  ];
  writeFileSync(join(folder, 'roomcast.toml'), config.join('\n'));
  const server = spawn(binary, ['serve', '--config', 'roomcast.toml'], { cwd: folder, stdio: 'inherit' });
  const url = `http://127.0.0.1:${main}`;
  for (let tries = 0; ; tries += 1) {
    const ready = await fetch(`http://127.0.0.1:${ops}/readyz`).then((answer) => answer.ok, () => false);
    if (ready) break;
    if (tries > 150 || server.exitCode !== null) throw new Error('the server did not get ready');
    await new Promise((wait) => setTimeout(wait, 200));
  }
  process.env['ROOMCAST_URL'] = url;
  return async () => {
    const ended = new Promise((done) => server.once('exit', done));
    server.kill('SIGKILL');
    await ended;
    rmSync(folder, { recursive: true, force: true });
  };
}
