/** Two people who sign in at a real Keycloak and chat for many lifetimes of a token; then one signs out. */
import { expect, test, type Browser, type Page } from '@playwright/test';

import { stage, TOKEN_SECONDS, type Person } from './keycloak';

const CHAT_SECONDS = Number(process.env['CHAT_SECONDS'] ?? '60');
/** Between two messages of the same person. */
const PAUSE_MS = 2_000;
/** The page shows no more than its newest 500 entries. */
const SHOWN = 400;

/** What happened in a page since its person was let in. */
interface Watched {
  page: Page;
  /** Answers of the token endpoint: how many, and how many were no tokens. */
  renewals: { good: number; bad: number };
  /** Sockets that were opened, and those of them that are open. */
  sockets: { opened: number; open: number };
}

async function open(browser: Browser): Promise<Watched> {
  const page = await (await browser.newContext()).newPage();
  const watched: Watched = { page, renewals: { good: 0, bad: 0 }, sockets: { opened: 0, open: 0 } };
  page.on('pageerror', (error) => { throw error; });
  page.on('websocket', (socket) => {
    watched.sockets.opened += 1;
    watched.sockets.open += 1;
    socket.on('close', () => { watched.sockets.open -= 1; });
  });
  page.on('response', (answer) => {
    if (!answer.url().endsWith('/protocol/openid-connect/token')) return;
    watched.renewals[answer.ok() ? 'good' : 'bad'] += 1;
  });
  await page.goto(stage().page);
  return watched;
}

async function toKeycloak(page: Page): Promise<void> {
  await page.getByRole('button', { name: 'Sign in' }).click();
  await expect(page.locator('#kc-login')).toBeVisible();
  expect(page.url()).toContain(stage().issuer);
}

async function give(page: Page, name: string, password: string): Promise<void> {
  await page.locator('#username').fill(name);
  await page.locator('#password').fill(password);
  await page.locator('#kc-login').click();
}

async function enter(browser: Browser, { name, password }: Person, room: string): Promise<Watched> {
  const watched = await open(browser);
  const { page } = watched;
  await toKeycloak(page);
  await give(page, name, password);
  await expect(page.getByTestId('lamp')).toContainText('Connected');
  await page.getByLabel('Room').fill(room);
  await page.getByRole('button', { name: 'Join' }).click();
  await expect(page.getByTestId('room')).toHaveAttribute('data-state', 'joined');
  // What the lamp says from here on, so that no short loss of the connection is missed.
  await page.getByTestId('lamp').evaluate((lamp) => {
    const said: string[] = [];
    Object.assign(window, { lampSaid: said });
    const observer = new MutationObserver(() => said.push(`${new Date().toISOString()} ${lamp.textContent}`));
    observer.observe(lamp, { childList: true, characterData: true, subtree: true });
  });
  return watched;
}

const texts = (page: Page) => page.getByTestId('message').locator('p');

async function say(page: Page, text: string): Promise<void> {
  await page.getByLabel('Message').fill(text);
  await page.getByRole('button', { name: 'Send' }).click();
}

test(`tokens of ${TOKEN_SECONDS} s are renewed unseen while two people chat for ${CHAT_SECONDS} s`, async ({ browser }) => {
  test.setTimeout(CHAT_SECONDS * 2_000 + 60_000);
  const people = stage().people;
  const both = [await enter(browser, people[0], 'general'), await enter(browser, people[1], 'general')] as const;
  const spoken: string[] = [];
  for (const end = Date.now() + CHAT_SECONDS * 1_000; Date.now() < end;) {
    const speaker = both[spoken.length % 2 === 0 ? 0 : 1];
    const text = `message ${spoken.length}`;
    spoken.push(text);
    await say(speaker.page, text);
    for (const { page } of both) await expect(texts(page).last()).toHaveText(text);
    await speaker.page.waitForTimeout(PAUSE_MS / 2);
  }
  for (const { page, renewals, sockets } of both) {
    const shown = await texts(page).allTextContents();
    expect(shown.slice(-SHOWN)).toEqual(spoken.slice(-SHOWN));
    await expect(page.getByTestId('here')).toHaveText('2');
    await expect(page.getByTestId('online')).toHaveText('2');
    // Each says its own part of why, so none hides another.
    expect.soft(await page.evaluate('window.lampSaid')).toEqual([]);
    expect.soft(sockets).toEqual({ opened: 1, open: 1 });
    // The first is the sign-in's own; each of the others comes before a token's end.
    expect.soft(renewals.good).toBeGreaterThanOrEqual(Math.floor(CHAT_SECONDS / TOKEN_SECONDS));
    expect.soft(renewals.bad).toBe(0);
  }
  await both[0].page.screenshot({ path: 'test-results/keycloak-chat.png' });

  const [ann, ben] = [both[0].page, both[1].page];
  await ann.getByRole('button', { name: 'Sign out' }).click();
  await expect(ann.getByRole('button', { name: 'Sign in' })).toBeVisible();
  // Her socket went with her: nobody waits for a ping that does not come.
  await expect(ben.getByText(`${people[0].name} left`)).toBeVisible();
  await expect(ben.getByTestId('here')).toHaveText('1');
  await ann.reload();
  // Keycloak forgot her too: whoever comes next to this browser needs the password.
  await toKeycloak(ann);
  expect(both[0].sockets.opened).toBe(1);
});

test('a wrong password is told by Keycloak, and the right one still lets in', async ({ browser }) => {
  const [{ name, password }] = stage().people;
  const { page, sockets } = await open(browser);
  await toKeycloak(page);
  await give(page, name, `${password}x`);
  await expect(page.getByText('Invalid username or password')).toBeVisible();
  expect(sockets.opened).toBe(0);
  await give(page, name, password);
  await expect(page.getByTestId('lamp')).toContainText('Connected');
});
