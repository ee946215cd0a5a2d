import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import type { Page } from 'playwright-core';
import { expect } from 'vitest';

import type { IdeWorld, Route } from '../http/ide-world.ts';
import type { TestBrowser } from './browser.ts';

export const WAYS = [
  ['below /__ide/<vmid>/', 'tunnel'],
  ['at a name of its own', 'hosted'],
] as const;

/** Opens the link as the Portal does. While the IDE is still starting, our page looks again. */
export async function openIde(
  { alice, invite }: IdeWorld,
  browser: TestBrowser,
  vmid: number,
  route: Route,
): Promise<Page> {
  const { token } = await invite(alice, vmid);
  const page = await (await browser.open()).newPage();
  await page.goto(`http://${route.host}${route.prefix}/?token=${token}`);
  expect(new URL(page.url()).search).not.toContain('token');
  return page;
}

/** Types what writes a file, finds it in the container, and our cookie out of reach of the page. */
export async function typeInto(
  world: IdeWorld,
  browser: TestBrowser,
  { vmid, way }: { readonly vmid: number; readonly way: 'tunnel' | 'hosted' },
  type: (page: Page, name: string, file: string) => Promise<void>,
): Promise<void> {
  const route = world[way](vmid);
  const name = `typed-${way}.txt`;
  const file = join(world.homeOf(vmid), name);
  const page = await openIde(world, browser, vmid, route);
  await type(page, name, file);

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
}
