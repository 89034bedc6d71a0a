/**
 * Where the outbox and the positions are kept: a small map of texts. Three are here (memory,
 * `localStorage`, and `indexedDb.ts`); anything that keeps what {@link Store} promises will do.
 */

/**
 * A map from text to text that outlives the program.
 *
 * A promise is fulfilled when the change would survive a crash of the program, as far as the storage
 * can promise that, and rejected when nothing was changed. Give each principal a store or a prefix of its own.
 */
export interface Store {
  /** All entries whose key begins with the prefix, in any order. */
  entries(prefix: string): Promise<readonly (readonly [key: string, value: string])[]>;
  /** Writes one entry, replacing an older one. */
  set(key: string, value: string): Promise<void>;
  /** Removes one entry, if it is there. */
  remove(key: string): Promise<void>;
}

/** A store that ends with the program: for tests, and for scripts that have nothing to lose. */
export function memoryStore(): Store {
  const map = new Map<string, string>();
  return {
    entries: (prefix) => Promise.resolve([...map].filter(([key]) => key.startsWith(prefix))),
    set: (key, value) => {
      map.set(key, value);
      return Promise.resolve();
    },
    remove: (key) => {
      map.delete(key);
      return Promise.resolve();
    },
  };
}

/** What is used of the browser's `Storage`. */
export type WebStorage = Pick<Storage, 'length' | 'key' | 'getItem' | 'setItem' | 'removeItem'>;

/**
 * A store in `localStorage` (or `sessionStorage`). Synchronous underneath and about 5 MB for the whole
 * origin: good for text. Tabs share it; each entry has a key of its own, so none overwrites another's.
 *
 * @param storage - `window.localStorage`
 * @param prefix - put before each key; must tell principals apart, for example `roomcast.<subject>.`
 */
export function webStore(storage: WebStorage, prefix: string): Store {
  // In a promise, so that a full or forbidden storage rejects instead of throwing.
  const soon = <T>(act: () => T): Promise<T> => new Promise((done) => done(act()));
  return {
    entries: (wanted) =>
      soon(() => {
        const found: [string, string][] = [];
        for (let index = 0; index < storage.length; index += 1) {
          const key = storage.key(index);
          if (key === null || !key.startsWith(prefix + wanted)) continue;
          const value = storage.getItem(key);
          if (value !== null) found.push([key.slice(prefix.length), value]);
        }
        return found;
      }),
    set: (key, value) => soon(() => storage.setItem(prefix + key, value)),
    remove: (key) => soon(() => storage.removeItem(prefix + key)),
  };
}
