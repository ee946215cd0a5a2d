import { afterAll, beforeAll, expect, test } from 'vitest';

import { buildWeb } from '../../scripts/build-web.ts';
import { MINECRAFT, type ReachableApp, startReachableApp } from '../e2e/edge-world.ts';
import { PASSWORD } from '../support/accounts.ts';
import { findBarriers, openBrowser, openPage, photograph } from './console-page-browser.ts';

const COMING_MS = 30_000;
const opened = new AsyncDisposableStack();
let world: ReachableApp;
let browser: Awaited<ReturnType<typeof openBrowser>>;

beforeAll(async () => {
  await buildWeb();
  [world, browser] = await Promise.all([startReachableApp(), openBrowser()]);
  opened.use(world);
  opened.use(browser);
});

afterAll(() => opened.disposeAsync());

test('a backup is made, restored, locked and deleted, and an IDE opened, in the page', async () => {
  const { alice, app } = world;
  const dev = { ctype: 'dev', runtime: 'node', version: '24', memoryMiB: 512 };
  const [vmid, devId] = await Promise.all([world.order(MINECRAFT), world.order(dev)]);
  await world.statusWhen(vmid, ({ status }) => status === 'running', 'the game', COMING_MS);
  const file = `/api/servers/${vmid}/files/content?path=motd.txt`;
  const write = (content: string) => alice.call('PUT', file, { body: { content } });
  await write('before\n');
  const { page, complaints } = await openPage(browser, { viewport: { width: 1200, height: 900 } });
  const button = (name: string | RegExp) => page.getByRole('button', { name });
  const agree = (verb: string) => page.getByRole('dialog').getByRole('button', { name: verb });

  await page.goto(app.url);
  await page.getByLabel('E-mail or username').fill('alice');
  await page.getByLabel('Password').fill(PASSWORD);
  await button('Sign in').click();
  await page.getByRole('link', { name: 'Servers' }).waitFor();
  await page.goto(`${app.url}/#/servers/${vmid}`);
  await button('Stop').waitFor();
  expect(await button(/backup/).count()).toBe(0);
  await page.getByRole('link', { name: 'Backups' }).click();
  await button('Make a backup').click();
  await page.locator('td .badge', { hasText: /^verified$/ }).waitFor({ timeout: COMING_MS });

  await write('after\n');
  await button(/^Restore /).click();
  await page.getByText('The game is stopped meanwhile').waitFor();
  await agree('Restore').click();
  const { maintenance } = await world.statusWhen(
    vmid,
    ({ status, maintenance: { operation } }) =>
      operation?.kind === 'restore' && operation.state !== 'running' && status === 'running',
    'the end of the restoration',
    COMING_MS,
  );
  expect(maintenance.operation).toMatchObject({ state: 'succeeded', error: null });
  expect((await alice.call('GET', file)).body.content).toBe('before\n');

  await button(/^Lock /).click();
  await button(/^Unlock /).waitFor();
  expect(await button(/^Delete /).isDisabled()).toBe(true);
  await photograph(page, 'backups');
  const barriers = await findBarriers(page);
  await button(/^Unlock /).click();
  await button(/^Lock /).waitFor();
  await button(/^Delete /).click();
  await agree('Delete').click();
  await page.getByText('There is no backup yet.').waitFor();

  await page.goto(`${app.url}/#/servers/${devId}`);
  const coming = page.waitForEvent('popup');
  await button('Open the IDE').click();
  const ide = await coming;
  await ide.waitForURL((url) => url.pathname === `/__ide/${devId}/` && url.search === '');
  expect(await ide.evaluate('window.opener')).toBe(null);
  expect(await page.getByRole('link', { name: 'Backups' }).count()).toBe(0);

  expect(complaints).toEqual([]);
  expect(barriers).toEqual([]);
}, 90_000);
