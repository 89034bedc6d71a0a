/** What the page must be told by the server that hands it out: `/config.json`. */
export interface Settings {
  /** The OIDC issuer's URL. */
  issuer: string;
  /** The page's client id at the issuer. */
  clientId: string;
  /** The product's version. */
  version: string;
}

/** Reads the settings; fails with a sentence for the person if they are not to be had. */
export async function loadSettings(fetcher: typeof fetch = fetch): Promise<Settings> {
  const answer = await fetcher('/config.json', { cache: 'no-store' });
  if (!answer.ok) throw new Error(`The server has no settings for this page (${answer.status}).`);
  const body: unknown = await answer.json();
  const text = (key: string): string => {
    const value = (body as Record<string, unknown>)[key];
    if (typeof value !== 'string') throw new Error(`The server's settings lack "${key}".`);
    return value;
  };
  return { issuer: text('issuer'), clientId: text('client_id'), version: text('version') };
}
