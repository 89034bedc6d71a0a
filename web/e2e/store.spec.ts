/** The IndexedDB store of the client, in a browser: jsdom and Node.js have no IndexedDB. */
import { readFileSync } from 'node:fs';

import { expect, test, type Page } from '@playwright/test';
import ts from 'typescript';

import type { Store } from '../src/client';

const ORIGIN = 'http://store.test';

/** A page that has nothing but the store's module. */
async function page(page: Page): Promise<void> {
  const source = readFileSync('src/client/indexedDb.ts', 'utf8');
  const { outputText } = ts.transpileModule(source, {
    compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ES2022 },
  });
  await page.route(`${ORIGIN}/**`, (route) =>
    route.request().url().endsWith('/store.js')
      ? route.fulfill({ contentType: 'text/javascript', body: outputText })
      : route.fulfill({ contentType: 'text/html', body: '<title>store</title>' }),
  );
  await page.goto(ORIGIN);
}

/** Does something with a store in the page. */
const act = (page: Page, work: (store: Store) => Promise<unknown>): Promise<unknown> =>
  page.evaluate(`import('${ORIGIN}/store.js').then(({ indexedDbStore }) => (${work.toString()})(indexedDbStore('roomcast.ann')))`);

test('the IndexedDB store keeps, replaces, finds by prefix, removes, and outlives the page', async ({ page: tab }) => {
  await page(tab);
  await act(tab, async (store) => {
    await store.set('a/1', 'one');
    await store.set('a/2', 'two');
    await store.set('b/1', 'other');
    await store.set('a/1', 'uno');
    await store.remove('a/2');
    await store.remove('nobody');
  });
  await tab.reload();
  expect(await act(tab, (store) => store.entries('a/'))).toEqual([['a/1', 'uno']]);
  expect(await act(tab, (store) => store.entries(''))).toEqual([['a/1', 'uno'], ['b/1', 'other']]);
});
