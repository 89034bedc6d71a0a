import { expect, test, type Browser, type Page } from '@playwright/test';

const url = (): string => process.env['ROOMCAST_URL'] ?? '';

/** A person in a browser of their own, signed in and in a room. */
async function person(browser: Browser, name: string, room: string): Promise<Page> {
  const context = await browser.newContext();
  const page = await context.newPage();
  page.on('pageerror', (error) => { throw error; });
  await page.goto(url(), { waitUntil: 'commit' });
  await signIn(page, name);
  await page.getByLabel('Room').fill(room);
  await page.getByRole('button', { name: 'Join' }).click();
  await expect(page.getByTestId('room')).toHaveAttribute('data-state', 'joined');
  return page;
}

async function signIn(page: Page, name: string): Promise<void> {
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('textbox').first().fill(name);
  await page.getByRole('button').first().click();
  await expect(page.getByTestId('lamp')).toContainText('Connected');
}

async function say(page: Page, text: string): Promise<void> {
  await page.getByLabel('Message').fill(text);
  await page.getByRole('button', { name: 'Send' }).click();
}

const texts = (page: Page) => page.getByTestId('message').locator('p');

test('two people sign in, chat both ways, see the same counts and servers, and the log after a reload', async ({ browser }) => {
  const ann = await person(browser, 'ann', 'general');
  const bob = await person(browser, 'bob', 'general');
  await expect(ann.getByText('bob joined')).toBeVisible();

  await say(ann, 'hello bob');
  await expect(texts(bob)).toHaveText(['hello bob']);
  await say(bob, 'hello ann');
  for (const page of [ann, bob]) {
    await expect(texts(page)).toHaveText(['hello bob', 'hello ann']);
    await expect(page.getByTestId('server')).toHaveText(['gateway-0', 'gateway-0']);
    await expect(page.getByTestId('online')).toHaveText('2');
    await expect(page.getByTestId('here')).toHaveText('2');
  }
  await ann.screenshot({ path: 'test-results/chat.png' });

  await bob.reload();
  await signIn(bob, 'bob');
  await expect(texts(bob)).toHaveText(['hello bob', 'hello ann']);
});

test('a message written without a link is sent once when the link is back', async ({ browser }) => {
  const ann = await person(browser, 'ann', 'outbox');
  const bob = await person(browser, 'bob', 'outbox');
  await ann.context().setOffline(true);
  await ann.evaluate(() => window.dispatchEvent(new Event('offline')));
  await say(ann, 'from the tunnel');
  await expect(ann.getByText('waiting to be sent')).toBeVisible();

  await ann.context().setOffline(false);
  await expect(texts(bob)).toHaveText(['from the tunnel']);
  await expect(ann.getByText('waiting to be sent')).toHaveCount(0);
  await expect(texts(ann)).toHaveText(['from the tunnel']);
});

test('what people write is text and never markup', async ({ browser }) => {
  const ann = await person(browser, '<img src=x onerror=alert(1)>', 'markup');
  const payload = '<script>window.pwned = true</script><img src=x onerror="window.pwned = true">';
  await say(ann, payload);
  await expect(texts(ann)).toHaveText([payload]);
  expect(await ann.evaluate(() => 'pwned' in window)).toBe(false);
});

test('the API pages work with the network cut', async ({ browser }) => {
  const context = await browser.newContext();
  await context.route('**', (route) => (route.request().url().startsWith(url()) ? route.continue() : route.abort()));
  const page = await context.newPage();
  for (const [path, text] of [['/docs', '/api/v1/me'], ['/redoc', '/api/v1/me']] as const) {
    await page.goto(`${url()}${path}`);
    await expect(page.getByText(text).first()).toBeVisible({ timeout: 20_000 });
    await page.screenshot({ path: `test-results${path}.png` });
  }
});
