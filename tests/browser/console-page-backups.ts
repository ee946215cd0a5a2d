import type { Page } from 'playwright-core';
import { expect } from 'vitest';

import type { ReachableApp } from '../e2e/edge-world.ts';

const COMING_MS = 60_000;

/** How often due backups are looked for while a page is driven. */
export const BACKUP_PACE = { BACKUP_SWEEP_MS: '300' };

export interface BackupsVisit {
  readonly page: Page;
  readonly world: ReachableApp;
  readonly vmid: number;
  readonly look: (name: string) => Promise<void>;
}

/**
 * On the page of a game that runs and has no backup: one is made, locked, restored and deleted, and
 * one comes by itself. A file `motd.txt` says `his` before and after.
 */
export async function driveBackups({ page, world, vmid, look }: BackupsVisit): Promise<void> {
  const path = `/api/servers/${vmid}/files/content?path=motd.txt`;
  const button = (name: RegExp) => page.getByRole('button', { name });
  const agree = (verb: string) => page.getByRole('dialog').getByRole('button', { name: verb });
  const verified = page.locator('td .badge', { hasText: /^verified$/ });

  await page.getByRole('link', { name: 'Overview' }).click();
  await button(/^Stop$/).waitFor();
  expect(await button(/backup/).count()).toBe(0);
  await page.getByRole('link', { name: 'Backups' }).click();
  await button(/^Make a backup$/).click();
  await verified.waitFor({ timeout: COMING_MS });

  await world.alice.call('PUT', path, { body: { content: 'spoiled\n' } });
  await button(/^Lock /).click();
  await button(/^Unlock /).waitFor();
  expect(await button(/^Delete /).isDisabled()).toBe(true);
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
  expect((await world.alice.call('GET', path)).body.content).toBe('his\n');
  await page.locator('.title .badge', { hasText: 'running' }).waitFor({ timeout: COMING_MS });

  await button(/^Unlock /).click();
  await button(/^Lock /).waitFor();
  await button(/^Delete /).click();
  await agree('Delete').click();
  await page.getByText('There is no backup yet.').waitFor();
  await driveSchedule({ page, world, vmid, look });
}

async function driveSchedule({ page, world, vmid, look }: BackupsVisit): Promise<void> {
  const save = page.getByRole('button', { name: 'Save the schedule' });
  await page.getByText('None are made by themselves.').waitFor();
  await page.getByText('Change the schedule').click();
  await page.getByLabel('When').fill('*/5 * * * *');
  await save.click();
  await page.getByText('at most once in 15 minutes', { exact: false }).last().waitFor();
  await page.getByLabel('When').fill('17 4 * * *');
  await page.getByLabel('Time zone').fill('Europe/Berlin');
  await page.getByLabel('Keep so many', { exact: true }).fill('3');
  await page.getByLabel('nothing').check();
  await save.click();
  await page.getByText('Kept are the latest 3,').waitFor();
  const url = `/api/game/servers/${vmid}/backups/schedule`;
  const { schedule } = (await world.alice.call('GET', url)).body;
  expect(schedule).toMatchObject({
    ...{ cron: '17 4 * * *', timezone: 'Europe/Berlin', misfire: 'skip' },
    ...{ keepCount: 3, keepDays: null },
  });

  await world.app.database.pool.query(
    `UPDATE backup_policy SET next_due_at = now() - interval '1 second'
     WHERE instance_id LIKE $1 || '-%'`,
    [String(vmid)],
  );
  // What nobody asked for in this page is shown by it all the same.
  await page.locator('td .badge', { hasText: /^verified$/ }).waitFor({ timeout: COMING_MS });
  await page.locator('td .badge', { hasText: /^accepted$/ }).waitFor({ timeout: COMING_MS });
  await look('7-backups');
}
