/** Starts the all-in-one once for all browser tests, and stops it. */
import { Roomcast } from './roomcast';

export default async function start(): Promise<() => Promise<void>> {
  const roomcast = await Roomcast.start();
  process.env['ROOMCAST_URL'] = roomcast.url;
  return () => roomcast.end();
}
