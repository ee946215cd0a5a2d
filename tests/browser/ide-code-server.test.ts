import { existsSync } from 'node:fs';

import type { Page } from 'playwright-core';
import { afterAll, describe, test } from 'vitest';

import { CODE_SERVER } from '../../lab/proxmox/processes.ts';
import { startIdeWorld } from '../http/ide-world.ts';
import { until } from '../support/until.ts';
import { failOnWarnings } from '../support/warnings.ts';
import { startBrowser } from './browser.ts';
import { typeInto, WAYS } from './ide-visit.ts';

/** It is large, and only there if somebody has installed it. */
const isInstalled = existsSync(CODE_SERVER);
if (!isInstalled) console.warn('code-server is not tried: `npm run lab:ide` installs it');

/** With real keys. What is typed before it, or the shell in it, listens is lost. */
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

describe.runIf(isInstalled)('a real code-server', async () => {
  if (!isInstalled) return;
  failOnWarnings();
  const opened = new AsyncDisposableStack();
  const browser = opened.use(await startBrowser());
  const world = opened.use(await startIdeWorld({ proxmox: { codeServer: true } }));
  afterAll(() => opened.disposeAsync());
  const vmid = await world.create(world.alice);

  test.each(WAYS)(
    '%s: what is typed in its terminal is done in the container',
    (_, way) => typeInto(world, browser, { vmid, way }, typeIntoCodeServer),
    60_000,
  );
});
