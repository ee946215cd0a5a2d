import type { Page } from 'playwright-core';
import { afterAll, expect, test } from 'vitest';

import { startIdeWorld } from '../http/ide-world.ts';
import { failOnWarnings } from '../support/warnings.ts';
import { startBrowser } from './browser.ts';
import { openIde, typeInto, WAYS } from './ide-visit.ts';

failOnWarnings();
const opened = new AsyncDisposableStack();
const browser = opened.use(await startBrowser());
const world = opened.use(await startIdeWorld());
afterAll(() => opened.disposeAsync());
const vmid = await world.create(world.alice);

/** With real keys, in the terminal of the page that stands in for code-server. */
async function typeIntoPage(page: Page, name: string): Promise<void> {
  await page.getByText('connected').waitFor();
  await page.locator('#line').pressSequentially(`write ${name} typed in a browser`);
  await page.keyboard.press('Enter');
  await page.getByText(`written: ${name}`).waitFor();
}

test.each(WAYS)(
  'what is typed into the page in place of code-server, %s, is done in the container',
  (_, way) => typeInto(world, browser, { vmid, way }, typeIntoPage),
);

test('a browser starts a container that is off by the button on its page', async () => {
  await world.power(world.alice, vmid, 'stop');

  const page = await openIde(world, browser, vmid, world.tunnel(vmid));
  const complaints: string[] = [];
  page.on('console', (message) => void complaints.push(message.text()));
  await page.getByText('the container is stopped').waitFor();
  expect(await page.evaluate('getComputedStyle(document.body).maxWidth')).toBe('576px');
  await page.getByRole('button', { name: 'Start the container' }).click();

  // Until it is there our page looks again by itself.
  await page.getByText("The lab's IDE").waitFor();
  expect(complaints.filter((text) => /Content Security Policy|Refused/.test(text))).toEqual([]);
  await page.context().close();
});
