import type { Page } from 'playwright-core';
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

const button = (page: Page, name: string) => page.getByRole('button', { name, exact: true });

async function signIn(page: Page, as: string): Promise<void> {
  await page.goto(world.app.url);
  await page.getByLabel('E-mail or username').fill(as);
  await page.getByLabel('Password').fill(PASSWORD);
  await button(page, 'Sign in').click();
  await page.getByRole('link', { name: 'New server' }).waitFor();
}

/** The state of a region that is alight, as the picture has it. */
const litIn = async (page: Page, region: string): Promise<string> =>
  (await page.locator(`#region-${region} svg`).getAttribute('data-now')) ?? '';

const STORY = [
  'cloning',
  'configuring',
  'booting',
  'addressing',
  'installing',
  'readying',
  'ready',
];

test('a machine is watched as it works, taken back in time, and read by keyboard', async () => {
  const { page, complaints } = await openPage(browser, { viewport: { width: 1440, height: 1000 } });
  const barriers: string[] = [];
  const look = async (on: Page, name: string) => {
    await photograph(on, name);
    barriers.push(...(await findBarriers(on)).map((one) => `${name}: ${one}`));
  };
  await signIn(page, 'admin');
  const { vmid } = (await world.alice.call('POST', '/api/instances', { body: MINECRAFT })).body;
  await page.goto(`${world.app.url}/#/servers/${vmid}/machine`);

  const seen: string[] = [];
  await expect
    .poll(
      async () => {
        const [state = ''] = (await litIn(page, 'provisioning')).split('.');
        if (seen.at(-1) !== state) seen.push(state);
        if (seen.length === 4) await photograph(page, 'machine-1-making');
        return state;
      },
      { timeout: COMING_MS, interval: 30 },
    )
    .toBe('ready');
  expect(seen).toEqual(STORY.filter((state) => seen.includes(state)));
  expect(seen.length).toBeGreaterThan(3);
  await page.locator('[data-state="published"].active').waitFor({ timeout: COMING_MS });
  await look(page, 'machine-2-ready');
  await page.setViewportSize({ width: 1440, height: 4000 });
  await photograph(page, 'machine-2-all');
  await page.setViewportSize({ width: 1440, height: 1000 });
  await page.goto(`${world.app.url}/#/servers/${vmid}/machine/4`);
  await page.locator('#region-provisioning [data-state="booting"].active').waitFor();
  await page.getByText('Context after step 4').waitFor();
  await look(page, 'machine-3-past');

  const phone = await openPage(browser, {
    viewport: { width: 390, height: 844 },
    colorScheme: 'dark',
    hasTouch: true,
    reducedMotion: 'reduce',
  });
  await signIn(phone.page, 'alice');
  await phone.page.goto(`${world.app.url}/#/servers/${vmid}/machine`);
  await phone.page.locator('[data-state="published"].active').waitFor({ timeout: COMING_MS });
  await look(phone.page, 'machine-4-phone');
  await phone.page.setViewportSize({ width: 390, height: 2600 });
  await look(phone.page, 'machine-5-phone-all');
  expect(barriers).toEqual([]);
  expect([...complaints, ...phone.complaints]).toEqual([]);
}, 90_000);
