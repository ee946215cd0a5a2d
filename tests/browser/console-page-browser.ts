import { mkdir } from 'node:fs/promises';

import axe from 'axe-core';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';

import { launchChromium } from './browser.ts';

const FOLDER = '.artefacts/console-page';
const WAIT_MS = 15_000;

/** A real Chromium; it ends with the test. */
export async function openBrowser(): Promise<Browser & AsyncDisposable> {
  await mkdir(FOLDER, { recursive: true });
  const browser = await launchChromium();
  return Object.assign(browser, { [Symbol.asyncDispose]: () => browser.close() });
}

export interface WatchedPage {
  readonly page: Page;
  /** What the page complained about. */
  readonly complaints: readonly string[];
}

export async function openPage(
  browser: Browser,
  options: BrowserContextOptions = {},
): Promise<WatchedPage> {
  const context = await browser.newContext(options);
  context.setDefaultTimeout(WAIT_MS);
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') {
      complaints.push(`${message.text()} ${message.location().url}`);
    }
  });
  return { page, complaints };
}

export async function photograph(page: Page, name: string): Promise<void> {
  await page.screenshot({ path: `${FOLDER}/${name}.png` });
}

/** What an accessibility scan finds that is serious or worse, as text. */
export async function findBarriers(page: Page): Promise<readonly string[]> {
  await page.evaluate(axe.source);
  return page.evaluate(async () => {
    const { axe: scan } = globalThis as unknown as { readonly axe: typeof axe };
    const { violations } = await scan.run();
    return violations
      .filter(({ impact }) => impact === 'serious' || impact === 'critical')
      .map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`);
  });
}

/** As text, like all that runs in the page and needs its types. */
const AGELESS = `[...document.querySelectorAll('main .badge')]
  .filter((badge) => !badge.closest('tr, li, h2, p, .title')?.querySelector('.age'))
  .map((badge) => badge.textContent)`;

/** What a page says of the world without saying when that was seen. */
export const findAgeless = (page: Page): Promise<readonly string[]> =>
  page.evaluate<readonly string[]>(AGELESS);

/** A picture, and whatever of it keeps somebody out. */
export function createLooks(page: Page) {
  const barriers: string[] = [];
  return {
    barriers,
    async look(name: string): Promise<void> {
      await photograph(page, name);
      barriers.push(...(await findBarriers(page)).map((one) => `${name}: ${one}`));
    },
  };
}

export const button = (page: Page, name: string) => page.getByRole('button', { name, exact: true });
