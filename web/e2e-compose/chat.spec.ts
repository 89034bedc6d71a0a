/** Two people who sign in at Keycloak and talk through whichever gateways nginx gave them. */
import { expect, test, type Browser, type Page } from '@playwright/test';

/** What the one who runs the test has to say. */
function given(name: string): string {
  const value = process.env[name];
  if (value === undefined || value === '') throw new Error(`${name} is not set`);
  return value;
}

async function person(browser: Browser, name: string, password: string, room: string): Promise<Page> {
  const context = await browser.newContext();
  const page = await context.newPage();
  page.on('pageerror', (error) => { throw error; });
  await page.goto(given('ROOMCAST_URL'));
  await signIn(page, name, password);
  await page.getByLabel('Room').fill(room);
  await page.getByRole('button', { name: 'Join' }).click();
  await expect(page.getByTestId('room')).toHaveAttribute('data-state', 'joined');
  return page;
}

async function signIn(page: Page, name: string, password: string): Promise<void> {
  // A Keycloak that has just started may keep the page waiting too long: it says so, and people try again.
  const username = page.locator('#username');
  await expect(async () => {
    if (!(await username.isVisible())) await page.getByRole('button', { name: 'Sign in' }).click({ timeout: 1_000 });
    await expect(username).toBeVisible({ timeout: 15_000 });
  }).toPass({ timeout: 60_000 });
  await username.fill(name);
  await page.locator('#password').fill(password);
  await page.locator('#kc-login').click();
  await expect(page.getByTestId('lamp')).toContainText('Connected', { timeout: 30_000 });
}

async function say(page: Page, text: string): Promise<void> {
  await page.getByLabel('Message').fill(text);
  await page.getByRole('button', { name: 'Send' }).click();
}

const texts = (page: Page) => page.getByTestId('message').locator('p');

test('two people sign in at Keycloak, chat both ways, and find the log after a reload', async ({ browser }) => {
  const room = `compose-${Date.now()}`;
  const ann = await person(browser, 'ann', given('ANN_PASSWORD'), room);
  const ben = await person(browser, 'ben', given('BEN_PASSWORD'), room);

  await say(ann, 'hello ben');
  await expect(texts(ben)).toHaveText(['hello ben']);
  await say(ben, 'hello ann');
  for (const page of [ann, ben]) {
    await expect(texts(page)).toHaveText(['hello ben', 'hello ann']);
    for (const server of await page.getByTestId('server').allTextContents()) {
      expect(server).toMatch(/^gateway-[012]$/);
    }
    // Who comes and goes is told by the broker; without it the page sees it when it looks again.
    await expect(page.getByTestId('here')).toHaveText('2', { timeout: 20_000 });
  }

  // Keycloak still knows him: he need not type again.
  await ben.reload();
  await ben.getByRole('button', { name: 'Sign in' }).click();
  await expect(texts(ben)).toHaveText(['hello ben', 'hello ann'], { timeout: 30_000 });
});
