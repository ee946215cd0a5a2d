import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';

import { afterAll, beforeEach, describe, expect, test } from 'vitest';

import { readFired } from '../../lab/agent/faults.ts';
import { createAgentBackups } from '../../src/clients/agent/backups.ts';
import { createAgentClient } from '../../src/clients/agent/client.ts';
import { createBackupPerformers } from '../../src/queues/effects/backups.ts';
import type { ToldEvent } from '../../src/queues/effects/performer.ts';
import { createBackups } from '../../src/storage/backups.ts';
import { setUp as startAgent, TERRARIA } from '../lab/agent-world.ts';
import { createTestDatabase } from '../support/database.ts';
import { insertInstance } from '../support/instance-row.ts';
import { TWICE } from './effects-world.ts';

const ID = '5001-a';

await using opened = new AsyncDisposableStack();
const database = opened.use(await createTestDatabase());
const known = createBackups(database.pool);
const agent = opened.use(await startAgent());
const agents = opened.use(createAgentClient({ port: 18_888, timeoutMs: 2_000 }));
const closing = opened.move();
afterAll(() => closing.disposeAsync());

const folder = join(agent.root, 'srv', 'backups');
const file = join(agent.root, 'srv', 'game', 'level.dat');
const ip = agent.agent.host;
await agent.agent.configure(TERRARIA);
await agent.agent.reached('running');
await insertInstance(database.pool, { id: ID, vmid: 5001 });

const told: ToldEvent[] = [];
let order = 0;

function createNode() {
  const backups = closing.use(
    createAgentBackups({ port: 18_888, timeoutMs: 2_000, orderTimeoutMs: 10_000 }),
  );
  const performers = createBackupPerformers({ backups, agents, known, pollMs: 5 });
  const performance = {
    ...{ upid: null, ageMs: 0, signal: AbortSignal.timeout(60_000) },
    progress: async (event: ToldEvent) => void told.push(event),
  };
  const common = () => ({ opId: '1', vmid: 5001, id: ID, ip, operationId: `op-${order}` });
  return {
    create: () => performers['backup.create']({ kind: 'backup.create', ...common() }, performance),
    resume: () => performers['backup.resume']({ kind: 'backup.resume', ...common() }, performance),
    about: (verb: 'halt' | 'restore' | 'verify' | 'delete', backupId: string) =>
      performers[`backup.${verb}`](
        { kind: `backup.${verb}`, ...common(), backupId } as never,
        performance,
      ),
  };
}
const nodes = [createNode(), createNode()] as const;
const [node] = nodes;

async function backUp(text: string): Promise<string> {
  writeFileSync(file, text);
  const made = await node.create();
  order += 1;
  return made.type === 'backup.made' ? made.backupId : '';
}
const archives = () => readdirSync(folder).filter((name) => name.endsWith('.gz')).length;
const rowOf = async (id: string) => (await known.list(ID)).find(({ backupId }) => backupId === id);

beforeEach(() => {
  mkdirSync(folder, { recursive: true });
  mkdirSync(join(file, '..'), { recursive: true });
  agent.setFaults({});
  told.length = 0;
  order += 1;
});

describe.each(TWICE)('performed twice, %s, happens once:', (_, twice) => {
  test('a backup is one archive, and known', async () => {
    const before = archives();

    const [first, second] = await twice(nodes, (one) => one.create());

    expect(second).toEqual(first);
    expect(first).toMatchObject({ type: 'backup.made', opId: '1' });
    expect(archives()).toBe(before + 1);
  });

  test('a verification says that it is sound', async () => {
    const id = await backUp('x');

    const outcomes = await twice(nodes, (one) => one.about('verify', id));

    expect(outcomes).toEqual(Array(2).fill({ type: 'backup.verified', opId: '1' }));
    expect(await rowOf(id)).toMatchObject({ verifiedAt: expect.any(Date), damagedAt: null });
  });

  test('a game is stopped, restored and started again', { timeout: 20_000 }, async () => {
    const id = await backUp('before');
    writeFileSync(file, 'after');

    await twice(nodes, (one) => one.about('halt', id));
    expect(await agent.agent.status()).toMatchObject({ state: 'stopped' });
    await twice(nodes, (one) => one.about('restore', id));
    const restored = readFileSync(file, 'utf8');
    const outcomes = await twice(nodes, (one) => one.resume());

    expect(told).toContainEqual({ type: 'game.found_running', opId: '1' });
    expect(restored).toBe('before');
    expect(outcomes).toEqual(Array(2).fill({ type: 'game.resumed', opId: '1' }));
    expect(await agent.agent.status()).toMatchObject({ state: 'running' });
  });

  test('a deletion removes one archive, and what is known of it', async () => {
    const id = await backUp('x');
    const before = archives();

    const outcomes = await twice(nodes, (one) => one.about('delete', id));

    expect(outcomes).toEqual(Array(2).fill({ type: 'backup.deleted', opId: '1' }));
    expect(archives()).toBe(before - 1);
    expect(await rowOf(id)).toBeUndefined();
  });
});

describe('what was done and not answered', () => {
  test.each([
    ['POST', 'made', () => node.create()],
    ['POST restore', 'restored', async () => node.about('restore', await backUp('x'))],
  ] as const)('%s is found done when it is asked for again', async (verb, _, perform) => {
    if (verb === 'POST restore') await agents.control(ip, 'stop');
    agent.setFaults({ backups: { loseAnswer: verb } });
    const fired = () => readFired(agent.root).filter((line) => line === `loseAnswer ${verb}`);
    const lost = perform().catch((error: unknown) => error);
    expect(await lost).toMatchObject({ reason: 'no_answer', retryable: true });
    const before = archives();

    await perform();

    expect(fired()).toHaveLength(1);
    if (verb === 'POST') expect(archives()).toBe(before);
  });
});

/** It lists a backup, and knows no other order. */
async function startOldAgent() {
  const answers: Readonly<Record<string, [number, object]>> = {
    'GET /game/backups': [200, [{ id: 'b-old', size: 3, created_at: '2026-11-24T00:00:00Z' }]],
  };
  const server = createServer(({ method, url }, response) => {
    const [status, body] = answers[`${method} ${url}`] ?? [404, { error: 'not_found' }];
    response.writeHead(status).end(JSON.stringify(body));
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  const backups = createAgentBackups({ port, timeoutMs: 2_000, orderTimeoutMs: 2_000 });
  const performers = createBackupPerformers({ backups, agents, known, pollMs: 5 });
  return {
    about: (verb: 'verify' | 'delete', backupId: string) =>
      performers[`backup.${verb}`](
        {
          ...{ kind: `backup.${verb}`, opId: '1', vmid: 5001, id: ID, ip: '127.0.0.1' },
          ...{ operationId: 'op-old', backupId },
        } as never,
        { upid: null, ageMs: 0, signal: AbortSignal.timeout(5_000), progress: async () => {} },
      ),
    async [Symbol.asyncDispose]() {
      await backups[Symbol.asyncDispose]();
      server.close();
      server.closeAllConnections();
    },
  };
}

describe('what an agent refuses', () => {
  test('a backup that is not there does not stop the game', async () => {
    await node.resume();

    await expect(node.about('halt', 'b-none')).rejects.toMatchObject({
      ...{ reason: 'backup_not_found', retryable: false },
    });
    expect(await agent.agent.status()).toMatchObject({ state: 'running' });
  });

  test('a damaged backup is noted as such, and stays', async () => {
    const id = await backUp('x');
    writeFileSync(join(folder, `${id}.tar.gz`), 'rotten');

    await expect(node.about('verify', id)).rejects.toMatchObject({ reason: 'backup_damaged' });
    expect(await rowOf(id)).toMatchObject({ damagedAt: expect.any(Date) });
    expect(readdirSync(folder)).toContain(`${id}.tar.gz`);
  });

  test('a game that dies when it is started again is not started for ever', async () => {
    await agents.control(ip, 'stop');
    await agent.agent.reached('stopped');
    agent.setFaults({ crashOnStart: true });

    await expect(node.resume()).rejects.toMatchObject({
      ...{ reason: 'game_crashed', retryable: false },
    });
    expect(await agent.agent.status()).toMatchObject({ state: 'crashed', crashCount: 1 });
    await expect(node.resume()).rejects.toMatchObject({ reason: 'game_crashed' });
    expect(await agent.agent.status()).toMatchObject({ crashCount: 1 });
    agent.setFaults({});
    await agents.control(ip, 'start');
    await agent.agent.reached('running');
  });

  test('an agent that cannot verify is no agent whose backup is damaged', async () => {
    await using old = await startOldAgent();

    await expect(old.about('verify', 'b-old')).rejects.toMatchObject({
      reason: 'verify_unsupported',
    });
    await expect(old.about('verify', 'b-none')).rejects.toMatchObject({
      reason: 'backup_not_found',
    });
  });

  test('an agent that cannot delete has not deleted, and what it does not list is gone', async () => {
    await using old = await startOldAgent();
    await known.adopt(ID, [
      { id: 'b-old', name: null, sizeBytes: 3, createdAt: null, sha256: null },
    ]);

    await expect(old.about('delete', 'b-old')).rejects.toMatchObject({
      ...{ reason: 'delete_unsupported', retryable: false },
    });
    expect(await rowOf('b-old')).toBeDefined();
    expect(await old.about('delete', 'b-none')).toMatchObject({ type: 'backup.deleted' });
  });

  test('a full disk is no reason to ask again', async () => {
    agent.setFaults({ backups: { diskFullAt: 'create.packed' } });

    await expect(node.create()).rejects.toMatchObject({ reason: 'disk_full', retryable: false });
    expect(readFired(agent.root)).toContain('diskFullAt create.packed');
  });

  test('a backup that is locked is not deleted, also when it was locked after the wish', async () => {
    const id = await backUp('x');
    await known.lock(ID, id, 'u-1');

    await expect(node.about('delete', id)).rejects.toMatchObject({ reason: 'backup_locked' });
    expect(readdirSync(folder)).toContain(`${id}.tar.gz`);
    await known.unlock(ID, id);
    expect(await node.about('delete', id)).toMatchObject({ type: 'backup.deleted' });
  });
});
