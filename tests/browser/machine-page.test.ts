import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { buildWeb } from '../../scripts/build-web.ts';
import { MINECRAFT, type ReachableApp, startReachableApp } from '../e2e/edge-world.ts';
import { PASSWORD } from '../support/accounts.ts';
import { button, createLooks, openBrowser, openPage, photograph } from './console-page-browser.ts';

const COMING_MS = 30_000;
const opened = new AsyncDisposableStack();
let world: ReachableApp;
let vmid: number;
let browser: Awaited<ReturnType<typeof openBrowser>>;

beforeAll(async () => {
  await buildWeb();
  [world, browser] = await Promise.all([startReachableApp(), openBrowser()]);
  opened.use(world);
  opened.use(browser);
});

afterAll(() => opened.disposeAsync());

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
  const { look, barriers } = createLooks(page);
  await signIn(page, 'admin');
  const parts = () =>
    page.evaluate<string>(
      `performance.getEntriesByType('resource').map(({ name }) => name).join()`,
    );
  expect(await parts()).not.toContain('server-machine');
  ({ vmid } = (await world.alice.call('POST', '/api/instances', { body: MINECRAFT })).body);
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
  expect(await parts()).toContain('server-machine');
  await page.locator('[data-state="published"].active').waitFor({ timeout: COMING_MS });
  // The agent goes on being heard; what is looked at now is one moment of it.
  await look('machine-2-live');
  await page.setViewportSize({ width: 1440, height: 3600 });
  await look('machine-3-all');
  await page.setViewportSize({ width: 1440, height: 1000 });

  const slider = page.getByRole('slider', { name: 'Step' });
  await slider.focus();
  await page.keyboard.press('Home');
  await page.getByText('Context after step 1').waitFor();
  expect(await litIn(page, 'provisioning')).toBe('cloning.performing');
  expect(await litIn(page, 'host')).toBe('absent');
  await page.locator('.then').getByText('node none').waitFor();
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('ArrowRight');
  await page.getByText('Context after step 3').waitFor();
  expect(await litIn(page, 'provisioning')).toBe('configuring.performing');
  expect(await page.locator('#region-provisioning .arrow.taken').textContent()).toContain(
    'container.cloned',
  );
  await page.locator('.then').getByText('node pve1').waitFor();
  await look('machine-4-past');
  await page.waitForURL(/machine\/3$/);

  await page.getByRole('link', { name: /container\.configured/ }).click();
  await page.getByText('Context after step 4').waitFor();
  await look('machine-5-journal');
  await button(page, 'Previous').click();
  await page.getByText('Context after step 3').waitFor();
  await page.getByLabel('Chart of host').focus();
  await page.keyboard.press('ArrowDown');
  expect(await page.locator('#region-host .picked').getAttribute('data-state')).toBe('starting');
  await page.locator('#region-host .explained summary').click();
  await page
    .locator('#region-host .explained')
    .getByText('container.started, if isHostOp → running')
    .waitFor();
  await button(page, 'Live').click();
  await page.getByRole('heading', { name: 'Context now' }).waitFor();
  await page.waitForURL(/machine$/);

  expect(barriers).toEqual([]);
  expect(complaints).toEqual([]);
}, 60_000);

test('it is one region at a time on a phone, in the dark, and nothing moves for whom it should not', async () => {
  const { page, complaints } = await openPage(browser, {
    viewport: { width: 390, height: 844 },
    colorScheme: 'dark',
    hasTouch: true,
    reducedMotion: 'reduce',
  });
  const { look, barriers } = createLooks(page);
  await signIn(page, 'alice');
  await page.goto(`${world.app.url}/#/servers/${vmid}/machine`);
  await page.locator('[data-state="published"].active').waitFor({ state: 'attached' });
  await look('machine-phone-1-live');
  await page.getByRole('button', { name: /^edge/ }).tap();
  await look('machine-phone-2-edge');
  await page.setViewportSize({ width: 390, height: 2600 });
  await look('machine-phone-3-all');
  const overflow = await page.evaluate<number>('document.documentElement.scrollWidth');
  const hidden = await page.evaluate<string>(
    `getComputedStyle(document.querySelector('.state.active > rect')).animationName`,
  );

  expect(overflow).toBeLessThanOrEqual(390);
  expect(hidden).toBe('none');
  // As of a life that is longer than what is read at once: the rest is read where it is looked at.
  await page.route('**/history?limit=100', (route) =>
    route.continue({ url: route.request().url().replace('100', '3') }),
  );
  await page.goto(`${world.app.url}/#/servers/${vmid}/history`);
  await page.getByRole('link', { name: /^Machine$/ }).click();
  await page.evaluate(`location.hash = '#/servers/${vmid}/machine/4'`);
  await page.locator('#region-provisioning .arrow.taken').waitFor({ state: 'attached' });
  expect(await litIn(page, 'provisioning')).toBe('booting');
  await button(page, 'Live').tap();
  // What the machine remembers is for administrators.
  expect(await page.getByText('Context now').count()).toBe(0);
  expect(await page.getByRole('heading', { name: 'Conditions now' }).count()).toBe(1);
  expect(barriers).toEqual([]);
  expect(complaints).toEqual([]);
}, 30_000);
