/**
 * Where this page wants to be opened. The built-in issuer knows it by one name of this machine
 * (`localhost`); opened under another (`127.0.0.1`), the page would be a stranger to the issuer.
 */
import type { Settings } from './settings';

const LOOPBACK = new Set(['localhost', '127.0.0.1', '[::1]']);

/** The same page under the issuer's name for this machine; undefined if it is there already. */
export function homeOf(settings: Settings, here: URL): URL | undefined {
  const issuer = new URL(settings.issuer);
  const twins = LOOPBACK.has(here.hostname) && LOOPBACK.has(issuer.hostname);
  if (!twins || here.port !== issuer.port || here.hostname === issuer.hostname) return undefined;
  const home = new URL(here);
  home.hostname = issuer.hostname;
  return home;
}
