import { randomUUID } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { describe, expect, inject, test } from 'vitest';

import type { Checkpoint } from '../../src/actors/checkpoint.ts';
import { examine } from '../support/crash-invariants.ts';
import { becomeReady, live } from '../support/crash-lives.ts';
import type { Fault } from '../support/crash-nodes.ts';
import { type CrashWorld, startCrashWorld } from '../support/crash-world.ts';
import { createTestDatabase } from '../support/database.ts';

/** Of each call: done and not told, and told. */
const MOMENTS: readonly Checkpoint[] = ['effect.after', 'commit.after'];
const HALTING: readonly Checkpoint[] = ['progress.before', 'progress.after'];
const T = { timeout: 120_000 };
const WAIT = { prefer: 'wait=30' };

/** Asks for it and follows it to its end, whoever dies meanwhile. */
async function order({ client }: CrashWorld, method: string, path: string) {
  const headers = { ...WAIT, 'idempotency-key': randomUUID() };
  for (;;) {
    const { status, body } = await client.ask({ method, path, headers });
    if (status !== 202) return body.operation;
  }
}

const faultsOf = (moments: readonly Checkpoint[]): readonly Fault[] =>
  moments.map((at) => ({ at, pass: 1 }));

const archivesOf = (rootfs: string) =>
  readdirSync(join(rootfs, 'srv', 'backups')).filter((name) => name.endsWith('.tar.gz'));

/** A game with one backup, which a changed file differs from, and nobody who performs anything. */
async function startGame(opened: AsyncDisposableStack) {
  const database = opened.use(await createTestDatabase());
  const files = { redisUrl: inject('redisUrl'), programs: inject('programs') };
  const world = opened.use(await startCrashWorld({ database, ...files }));
  await world.nodes.start({ role: 'api' });
  const maker = await world.nodes.start({ role: 'worker' });
  const { vmid } = await live(world.client, { kind: 'kept' });
  const rootfs = world.proxmox.containers().find((one) => one.vmid === vmid)?.rootfs ?? '';
  const file = join(rootfs, 'srv', 'game', 'level.dat');
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, 'before');
  const path = `/api/game/servers/${vmid}/backups`;
  const { backupId } = await order(world, 'POST', path);
  writeFileSync(file, 'after');
  await maker.terminate();
  return { world, vmid: vmid ?? 0, rootfs, file, path, backupId: String(backupId) };
}

describe.concurrent('a worker killed at every moment', () => {
  test('of a restoration restores once, and the game runs as before', T, async () => {
    await using opened = new AsyncDisposableStack();
    const { world, vmid, rootfs, file, path, backupId } = await startGame(opened);
    // Of the look whether the game runs; then of stopping it, of restoring it, of starting it.
    const moments = [...HALTING, ...MOMENTS, ...MOMENTS, ...MOMENTS];
    const killed = await world.nodes.start({ role: 'worker', faults: faultsOf(moments) });

    const operation = await order(world, 'POST', `${path}/restore?id=${backupId}`);
    await becomeReady(world.client, vmid);

    expect(operation).toMatchObject({ state: 'succeeded', backupId });
    expect(killed.fired()).toEqual(moments.map((at) => `${at} 1`));
    expect(readFileSync(file, 'utf8')).toBe('before');
    expect(archivesOf(rootfs)).toEqual([`${backupId}.tar.gz`]);
    expect(await examine(world)).toMatchObject({ violations: [], failures: [], live: 1 });
  });

  test('of a backup and of a deletion makes one, and deletes that one', T, async () => {
    await using opened = new AsyncDisposableStack();
    const { world, vmid, rootfs, file, path, backupId } = await startGame(opened);
    // Of making it, and of comparing it with its checksum; then of deleting the first one.
    const moments = [...MOMENTS, ...MOMENTS, ...MOMENTS];
    const killed = await world.nodes.start({ role: 'worker', faults: faultsOf(moments) });

    const made = await order(world, 'POST', path);
    expect(archivesOf(rootfs)).toHaveLength(2);
    const deleted = await order(world, 'DELETE', `${path}/${backupId}`);
    await becomeReady(world.client, vmid);

    expect([made, deleted]).toMatchObject([{ state: 'succeeded' }, { state: 'succeeded' }]);
    expect(killed.fired()).toEqual(moments.map((at) => `${at} 1`));
    expect(archivesOf(rootfs)).toEqual([`${made.backupId}.tar.gz`]);
    expect(readFileSync(file, 'utf8')).toBe('after');
    expect(await examine(world)).toMatchObject({ violations: [], failures: [], live: 1 });
  });
});
