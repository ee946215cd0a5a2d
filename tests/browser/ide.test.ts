import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { CODE_SERVER } from '../../lab/proxmox/processes.ts';
import { type IdeWorld, type Route, startIdeWorld } from '../http/ide-world.ts';
import { until } from '../support/until.ts';
import { failOnWarnings } from '../support/warnings.ts';
import { startBrowser } from './browser.ts';

failOnWarnings();
const opened = new AsyncDisposableStack();
const browser = opened.use(await startBrowser());
afterAll(() => opened.disposeAsync());

/** One of them is large, and only there if somebody has installed it. */
const IDES = [
  { what: 'the page in place of code-server', isReal: false },
  ...(existsSync(CODE_SERVER) ? [{ what: 'a real code-server', isReal: true }] : []),
];

/** Opens the link as the Portal does. While the IDE is still starting, our page looks again. */
async function openIde({ alice, invite }: IdeWorld, vmid: number, route: Route): Promise<Page> {
  const { token } = await invite(alice, vmid);
  const page = await (await browser.open()).newPage();
  await page.goto(`http://${route.host}${route.prefix}/?token=${token}`);
  expect(new URL(page.url()).search).not.toContain('token');
  return page;
}

/** With real keys, in the terminal of the page that stands in for code-server. */
async function typeIntoPage(page: Page, name: string): Promise<void> {
  await page.getByText('connected').waitFor();
  await page.locator('#line').pressSequentially(`write ${name} typed in a browser`);
  await page.keyboard.press('Enter');
  await page.getByText(`written: ${name}`).waitFor();
}

/** The same in code-server, which loses what is typed before it, or the shell, listens. */
async function typeIntoCodeServer(page: Page, name: string, file: string): Promise<void> {
  const workbench = page.locator('.monaco-workbench');
  const terminal = page.locator('.xterm:visible').first();
  await workbench.waitFor({ timeout: 30_000 });
  // The folder is shown when the container has been talked to; keys before that are lost.
  await page.locator('.explorer-folders-view .monaco-list-row').first().waitFor();
  await until(
    async () => {
      if (!(await terminal.isVisible())) {
        await page.keyboard.press('Control+Shift+Backquote');
        await terminal.waitFor({ timeout: 3_000 });
      }
      await terminal.click();
      await page.keyboard.type(`echo typed in a browser > ${name}\n`);
      return until(() => existsSync(file), { what: 'the file', timeoutMs: 2_000 });
    },
    { what: 'the terminal to do what is typed', timeoutMs: 25_000 },
  );
}

describe.each(IDES)('a browser, and $what', ({ isReal }) => {
  let world: IdeWorld;
  let vmid: number;
  beforeAll(async () => {
    world = opened.use(await startIdeWorld({ proxmox: { codeServer: isReal } }));
    vmid = await world.create(world.alice);
  });

  test.each([
    ['below /__ide/<vmid>/', 'tunnel'],
    ['at a name of its own', 'hosted'],
  ] as const)(
    '%s: what is typed in the terminal is done in the container',
    async (_, way) => {
      const route = world[way](vmid);
      const name = `typed-${way}.txt`;
      const file = join(world.homeOf(vmid), name);

      const page = await openIde(world, vmid, route);
      await (isReal ? typeIntoCodeServer(page, name, file) : typeIntoPage(page, name));

      expect(readFileSync(file, 'utf8')).toBe('typed in a browser\n');
      const cookies = await page.context().cookies();
      expect(cookies.filter((one) => one.name === 'zpack_ide')).toEqual([
        expect.objectContaining({
          ...{ httpOnly: true, sameSite: 'Lax', path: `${route.prefix}/` },
          domain: route.host.split(':')[0],
        }),
      ]);
      expect(await page.evaluate('document.cookie')).not.toContain('zpack_ide');
      await page.context().close();
    },
    60_000,
  );
});
