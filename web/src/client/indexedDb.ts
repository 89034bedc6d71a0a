/** A store in IndexedDB: off the main thread's way, larger than `localStorage`, and there in workers. */
import type { Store } from './store.js';

const TABLE = 'entries';

/**
 * A store in an IndexedDB database of its own. A write is fulfilled when its transaction is complete,
 * asked for with strict durability.
 *
 * @param name - the database; must tell principals apart, for example `roomcast.<subject>`
 * @param factory - where databases are; the global `indexedDB` by default
 */
export function indexedDbStore(name: string, factory: IDBFactory = indexedDB): Store {
  let opened: Promise<IDBDatabase> | undefined;
  const open = (): Promise<IDBDatabase> => {
    opened ??= opening(factory, name, () => (opened = undefined));
    return opened;
  };
  const change = async (act: (table: IDBObjectStore) => void): Promise<void> => {
    const database = await open();
    await new Promise<void>((done, fail) => {
      const transaction = database.transaction(TABLE, 'readwrite', { durability: 'strict' });
      transaction.oncomplete = () => done();
      transaction.onabort = () => fail(transaction.error ?? new Error('the transaction was ended'));
      act(transaction.objectStore(TABLE));
    });
  };
  return {
    entries: async (prefix) => {
      const database = await open();
      return new Promise((done, fail) => {
        const found: [string, string][] = [];
        const range = IDBKeyRange.bound(prefix, `${prefix}\uffff`);
        const request = database.transaction(TABLE).objectStore(TABLE).openCursor(range);
        request.onerror = () => fail(request.error ?? new Error('the entries could not be read'));
        request.onsuccess = () => {
          const cursor = request.result;
          if (cursor === null) {
            done(found);
            return;
          }
          const value: unknown = cursor.value;
          if (typeof cursor.key === 'string' && typeof value === 'string') found.push([cursor.key, value]);
          cursor.continue();
        };
      });
    },
    set: (key, value) => change((table) => void table.put(value, key)),
    remove: (key) => change((table) => void table.delete(key)),
  };
}

function opening(factory: IDBFactory, name: string, forget: () => void): Promise<IDBDatabase> {
  return new Promise((done, fail) => {
    const request = factory.open(name, 1);
    request.onupgradeneeded = () => void request.result.createObjectStore(TABLE);
    request.onerror = () => {
      // The next call tries again.
      forget();
      fail(request.error ?? new Error('the database could not be opened'));
    };
    request.onsuccess = () => {
      // Another tab, or the browser, may take the database away.
      request.result.onversionchange = () => {
        request.result.close();
        forget();
      };
      request.result.onclose = forget;
      done(request.result);
    };
  });
}
