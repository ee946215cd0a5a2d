import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { startStripe } from '../../lab/stripe/server.ts';
import { buildWeb } from '../../scripts/build-web.ts';
import { createPlans } from '../../src/storage/plans.ts';
import { type ReachableApp, startReachableApp } from '../e2e/edge-world.ts';
import { PASSWORD } from '../support/accounts.ts';
import { ADMIN } from '../support/app.ts';
import { sellPlans } from '../support/plans.ts';
import { BACKUP_PACE, driveBackups } from './console-page-backups.ts';
import {
  button,
  createLooks,
  findAgeless,
  openBrowser,
  openPage,
  photograph,
} from './console-page-browser.ts';

const COMING_MS = 60_000;

let world: ReachableApp;
let browser: Awaited<ReturnType<typeof openBrowser>>;

const FREE = {
  ...{ id: 'free', name: 'Free', slots: 4, memoryMiB: 8_192, priceCents: 0, currency: 'eur' },
  ...{ position: 0, stripePriceId: null, isDefault: true },
};

const opened = new AsyncDisposableStack();

beforeAll(async () => {
  await buildWeb();
  const dataDir = await mkdtemp(join(tmpdir(), 'zpack-page-'));
  opened.defer(() => rm(dataDir, { recursive: true, force: true }));
  const stripe = opened.use(await startStripe({ dataDir }));
  const environment = {
    ...BACKUP_PACE,
    STRIPE_URL: stripe.url.href,
    STRIPE_SECRET_KEY: stripe.secretKey,
    STRIPE_WEBHOOK_SECRET: stripe.webhookSecret,
  };
  [world, browser] = await Promise.all([startReachableApp(environment), openBrowser()]);
  opened.use(world);
  opened.use(browser);
  await sellPlans(world.app.database);
  await createPlans(world.app.database.prisma).upsert(FREE);
  stripe.webhooks.sendTo(`${world.app.url}/api/billing/webhook`);
});

afterAll(() => opened.disposeAsync());

interface Light {
  readonly step: string;
  readonly state: string;
}

const lightsOf = (page: Page): Promise<readonly Light[]> =>
  page.locator('.step').evaluateAll((steps) =>
    steps.map((one) => ({
      step: one.getAttribute('data-step') ?? '',
      state: one.getAttribute('data-state') ?? '',
    })),
  );

const PROVISIONING = ['cloning', 'configuring', 'booting', 'addressing', 'installing', 'readying'];
const REACHING = ['EdgePublished', 'ProxyRegistered', 'joinable'];

test('a Minecraft server is made, joined, stopped, edited and deleted in the page', async () => {
  const { page, complaints } = await openPage(browser, { viewport: { width: 1200, height: 900 } });
  const { look, barriers } = createLooks(page);

  await page.goto(world.app.url);
  await page.getByLabel('E-mail or username').fill('alice');
  await page.getByLabel('Password').fill(PASSWORD);
  await look('1-sign-in');
  await button(page, 'Sign in').click();
  await page.getByText('There is no server yet').waitFor();
  await page.getByRole('link', { name: 'New server' }).click();
  await page.getByLabel('Version').fill('1.20.4');
  await look('2-create');
  await button(page, 'Create').click();

  await page.locator('.step').first().waitFor();
  const seen: (readonly Light[])[] = [];
  await expect
    .poll(
      async () => {
        const lights = await lightsOf(page);
        seen.push(lights);
        if (seen.length === 4) await look('3-making');
        return lights.every(({ state }) => state === 'done');
      },
      { timeout: COMING_MS, interval: 40 },
    )
    .toBe(true);
  const vmid = Number(/servers\/(\d+)/.exec(page.url())?.[1]);
  await look('4-joinable');
  expect(seen.at(-1)?.map(({ step }) => step)).toEqual([...PROVISIONING, ...REACHING]);
  // Never was a later step of provisioning lit before an earlier one, nor did one go out.
  const counts = seen.map((lights) => {
    const states = lights.slice(0, PROVISIONING.length).map(({ state }) => state);
    const done = states.findIndex((state) => state !== 'done');
    return states.lastIndexOf('done') >= done && done >= 0 ? Number.NaN : done;
  });
  const steady = counts.map((count) => (count < 0 ? PROVISIONING.length : count));
  expect(steady).toEqual(steady.toSorted((a, b) => a - b));
  expect(new Set(steady).size).toBeGreaterThan(2);
  expect(seen.flat().some(({ state }) => state === 'current')).toBe(true);
  await page.getByText('connectable').waitFor();
  await page.getByRole('heading', { name: 'At the proxy' }).waitFor();
  expect(await findAgeless(page)).toEqual([]);

  const allowed = (await world.alice.call('GET', `/api/servers/${vmid}`)).body.server;
  expect(allowed.allowedActions).toContain('stop');
  expect(await button(page, 'Stop').isEnabled()).toBe(true);
  expect(await button(page, 'Start').isEnabled()).toBe(false);
  await page.getByText('Start: it is so already').waitFor();
  await button(page, 'Stop').click();
  await page.locator('.title .badge', { hasText: 'stopped' }).waitFor();
  await look('5-stopped');
  expect(await button(page, 'Stop').isEnabled()).toBe(false);
  await button(page, 'Start').click();
  await page.locator('.title .badge', { hasText: 'running' }).waitFor({ timeout: COMING_MS });

  await page.getByRole('link', { name: 'Console' }).click();
  await page.getByRole('log').getByText('Server listening').waitFor({ timeout: COMING_MS });
  await page.getByLabel('Command').fill('list');
  await button(page, 'Send').click();
  await page.getByRole('log').getByText('There are 0 of a max').waitFor();
  await look('5-console');

  await page.getByRole('link', { name: 'Files' }).click();
  await button(page, 'New file').click();
  await page.getByLabel('Name of the new file').fill('motd.txt');
  await button(page, 'Make it').click();
  await page.getByRole('textbox').fill('written in the page\n');
  await button(page, 'Save').click();
  await page.getByText('As it is on the server').waitFor();
  await look('6-editor');
  const path = `/api/servers/${vmid}/files/content?path=motd.txt`;
  expect((await world.alice.call('GET', path)).body.content).toBe('written in the page\n');
  // Somebody else writes meanwhile: what is written over his is refused.
  await world.alice.call('PUT', path, { body: { content: 'his\n' } });
  await page.getByRole('textbox').fill('mine\n');
  await button(page, 'Save').click();
  await page.getByRole('alert').waitFor();
  expect((await world.alice.call('GET', path)).body.content).toBe('his\n');
  await button(page, 'Back to the folder').click();

  const upload = { name: 'up.txt', mimeType: 'text/plain', buffer: Buffer.from('uploaded') };
  await page.locator('input[type=file]').setInputFiles(upload);
  const downloading = page.waitForEvent('download');
  await button(page, 'Download up.txt').click();
  expect((await downloading).suggestedFilename()).toBe('up.txt');
  await look('7-files');
  await button(page, 'Delete up.txt').click();
  await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
  await button(page, 'up.txt').waitFor({ state: 'detached' });

  await driveBackups({ page, world, vmid, look });

  await page.getByRole('link', { name: 'History' }).click();
  await page.getByText('stop.requested').first().waitFor();
  await look('8-history');

  await page.getByRole('link', { name: 'Overview' }).click();
  await button(page, 'Delete by force').click();
  await look('9-doubt');
  await page.getByRole('dialog').getByRole('button', { name: 'Delete by force' }).click();
  await page.getByText('There is no such server').waitFor({ timeout: COMING_MS });
  expect((await world.alice.call('GET', `/api/servers/${vmid}`)).status).toBe(404);

  await page.getByRole('link', { name: 'Billing' }).click();
  await page.getByText('Containers: 0 of 4').waitFor();
  await look('10-billing');
  await button(page, 'Change to Small').click();
  // The page of the payment service, which is another one's.
  await page.waitForURL((url) => url.origin !== new URL(world.app.url).origin);
  await page.goBack();
  await page.getByText('Containers: 0 of 4').waitFor();
  await button(page, 'Sign out').click();
  await button(page, 'Sign in').waitFor();

  // The refused save is a 412, the refused schedule a 400 and the end of the server a 404, which Chromium reports as such.
  expect(complaints.filter((text) => !/status of (400|404|412)/.test(text))).toEqual([]);
  expect(barriers).toEqual([]);
}, 120_000);

/** As text, like all that runs in the page and needs its types. */
const NAME_OF_FOCUSED = `(({ labels, ariaLabel, textContent }) =>
  labels?.[0]?.textContent ?? ariaLabel ?? textContent ?? '')(document.activeElement)`;

/** Presses Tab until what has the focus is called this. */
async function tabTo(page: Page, name: RegExp): Promise<void> {
  const names: string[] = [];
  for (let presses = 0; presses < 60; presses += 1) {
    await page.keyboard.press('Tab');
    const focused = await page.evaluate<string>(NAME_OF_FOCUSED);
    if (name.test(focused)) return;
    names.push(focused);
  }
  throw new Error(`the Tab key does not lead to ${name}, only to: ${names.join(', ')}`);
}

test('every page works on a phone, in the dark, by keyboard', async () => {
  const { alice, app } = world;
  const order = { ctype: 'dev', runtime: 'node', version: '24', memoryMiB: 512 };
  for (let one = 0; one < 3; one += 1) await alice.call('POST', '/api/instances', { body: order });
  const { page, complaints } = await openPage(browser, {
    viewport: { width: 390, height: 844 },
    colorScheme: 'dark',
    hasTouch: true,
    reducedMotion: 'reduce',
  });
  const { look, barriers } = createLooks(page);

  await page.goto(app.url);
  await tabTo(page, /^E-mail or username$/);
  await page.keyboard.type('admin');
  await tabTo(page, /^Password$/);
  await page.keyboard.type(PASSWORD);
  await look('phone-1-sign-in');
  await page.keyboard.press('Enter');
  await page.locator('.rows li').nth(2).waitFor();
  await look('phone-2-fleet');
  await tabTo(page, /^Filter the servers$/);
  await page.keyboard.type('dev node');
  await page.getByText(/^3/).first().waitFor();
  await tabTo(page, /^dev-/);
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'Conditions' }).waitFor();
  await look('phone-3-server');
  await tabTo(page, /^Open the IDE$/);
  const [ide] = await Promise.all([
    page.context().waitForEvent('page'),
    page.keyboard.press('Enter'),
  ]);
  await ide.waitForURL(/\/__ide\/\d+\/$/);
  // What this page keeps for itself did not come along.
  expect(await ide.evaluate('[sessionStorage.length, opener]')).toEqual([0, null]);
  await ide.close();
  await tabTo(page, /^History$/);
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'Journal' }).waitFor();

  for (const [name, heading] of PLACES) {
    await page.goto(`${app.url}/#/${name}`);
    await page.getByText(heading).first().waitFor();
    await look(`phone-${name.replace('/', '-')}`);
    if (name.startsWith('admin')) expect(await findAgeless(page)).toEqual([]);
  }
  await driveOperations(page, app.url);
  await page.setViewportSize({ width: 1200, height: 900 });
  for (const name of ['nodes', 'operations']) {
    await page.goto(`${app.url}/#/admin/${name}`);
    await page.getByRole('table').last().waitFor();
    await look(`admin-${name}`);
  }
  await page.setViewportSize({ width: 390, height: 844 });
  const overflow = await page.evaluate<number>('document.documentElement.scrollWidth');
  await page.goto(`${app.url}/#/admin/queues`);
  await button(page, 'Open the board').click();
  await page.getByText('effects-clone').first().waitFor({ state: 'attached' });
  await photograph(page, 'phone-board');
  const visit = await page.context().cookies(`${app.url}/admin/queues`);
  const elsewhere = await page.context().cookies(app.url);
  await page.goto(app.url);
  await page.getByRole('link', { name: 'Servers' }).waitFor();

  expect(visit).toMatchObject([{ httpOnly: true, sameSite: 'Strict', path: '/admin/queues' }]);
  expect(elsewhere).toEqual([]);
  expect(overflow).toBeLessThanOrEqual(390);
  // A report that nobody has made yet is a 503.
  // The board would have its letters from elsewhere, and may not.
  const expected = /status of 503|fonts\.googleapis\.com/;
  expect(complaints.filter((text) => !expected.test(text))).toEqual([]);
  expect(barriers).toEqual([]);
}, 60_000);

/** What is filtered is what was asked for, and leads to the server that it was about. */
async function driveOperations(page: Page, url: string): Promise<void> {
  await page.goto(`${url}/#/admin/operations`);
  await page.getByLabel('What', { exact: true }).selectOption('create');
  await button(page, 'Show').click();
  const kinds = page.locator('tbody td:nth-child(3)');
  await expect
    .poll(async () => [...new Set(await kinds.allTextContents())], { timeout: COMING_MS })
    .toEqual(['create']);
  await page.getByRole('link', { name: /^dev-/ }).first().click();
  await page.getByRole('heading', { name: 'Conditions' }).waitFor();
}

const PLACES = [
  ['new', 'What shall it be?'],
  ['account', 'Tokens for scripts'],
  ['billing', 'Billing'],
  ['admin/users', 'bob@zpack.test'],
  ['admin/audit', 'Whom'],
  ['admin/nodes', 'pve1'],
  ['admin/operations', 'Asked for'],
  ['admin/reconcile', 'Compare now'],
  ['admin/edge', 'DNS'],
  ['admin/mails', 'There are none'],
  ['admin/queues', 'Open the board'],
] as const;

test('the board of the queues is for administrators, and only to be looked at', async () => {
  const { app, alice } = world;
  const admin = await app.signIn(ADMIN);
  const ask = (token: string | null, init: RequestInit = {}) =>
    fetch(`${app.url}/admin/queues/api/queues`, {
      ...init,
      headers: token === null ? {} : { cookie: `other=1; zpack_board=${token}` },
    }).then(({ status }) => status);
  const clean = `${app.url}/admin/queues/api/queues/timers/clean/completed`;

  const shown = await fetch(`${app.url}/admin/queues/api/queues`, {
    headers: { cookie: `zpack_board=${admin.token}` },
  });
  const changed = await fetch(clean, {
    method: 'PUT',
    headers: { cookie: `zpack_board=${admin.token}` },
  });

  expect(await ask(null)).toBe(401);
  expect(await ask(alice.token)).toBe(403);
  expect(await ask(`${admin.token.slice(0, -4)}aaaa`)).toBe(401);
  expect(await shown.json()).toMatchObject({ queues: expect.arrayContaining([]) });
  expect(shown.headers.get('content-security-policy')).toContain("default-src 'none'");
  expect(changed.status).toBe(405);
});

test('a stream that was cut goes on where it was, or anew if that is too long ago', async () => {
  const { app } = world;
  const { page } = await openPage(browser);
  const asked: (string | undefined)[] = [];
  await page.route('**/api/servers/events', async (route) => {
    asked.push(route.request().headers()['last-event-id']);
    const contentType = asked.length === 1 ? 'text/event-stream' : 'application/problem+json';
    const event = 'id: 41\nevent: snapshot\ndata: {"servers":[]}\n\n';
    const problem = JSON.stringify({ status: 410, title: 'Too late', error: 'stale_cursor' });
    if (asked.length === 1) await route.fulfill({ contentType, body: event });
    else if (asked.length === 2) await route.fulfill({ status: 410, contentType, body: problem });
    else await route.continue();
  });

  await page.goto(app.url);
  await page.getByLabel('E-mail or username').fill('bob');
  await page.getByLabel('Password').fill(PASSWORD);
  await button(page, 'Sign in').click();
  await page.getByText('lost').waitFor();
  await expect.poll(() => asked.length, { timeout: COMING_MS }).toBe(3);
  await page.getByText('live').waitFor();

  expect(asked).toEqual([undefined, '41', undefined]);
});
