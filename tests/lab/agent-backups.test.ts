import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { expect, test } from 'vitest';

import { STEPS } from '../../lab/agent/backup-steps.ts';
import { readFired } from '../../lab/agent/faults.ts';
import { setUp } from './agent-world.ts';

/** An agent with a file of a game, and what can be done to its backups. */
async function startBackups() {
  const world = await setUp();
  const game = join(world.root, 'srv', 'game');
  const folder = join(world.root, 'srv', 'backups');
  mkdirSync(join(game, 'world'), { recursive: true });
  const file = join(game, 'world', 'level.dat');
  writeFileSync(file, 'before');
  return {
    ...world,
    get agent() {
      return world.agent;
    },
    write: (text: string) => writeFileSync(file, text),
    read: () => readFileSync(file, 'utf8'),
    leftovers: () => [
      ...readdirSync(join(world.root, 'srv')).filter((name) => /^game\./.test(name)),
      ...(existsSync(folder) ? readdirSync(folder) : []).filter(
        (name) => !/^b-[\w-]+\.(tar\.gz|json)$/.test(name),
      ),
    ],
    archives: () => readdirSync(folder).filter((name) => name.endsWith('.tar.gz')),
    // biome-ignore lint/suspicious/noExplicitAny: a test reads what it expects
    list: async () => (await world.agent.send('GET', '/game/backups')).body['backups'] as any[],
    backUp: (name: string) => world.agent.send('POST', '/game/backups', { name }),
    restore: (id: string) => world.agent.send('POST', `/game/backups/restore?id=${id}`),
    verify: (id: string) => world.agent.send('POST', `/game/backups/verify?id=${id}`),
    remove: (id: string) => world.agent.send('DELETE', `/game/backups/${id}`),
    plan: (backups: object) => world.setFaults({ backups }),
    fired: () => readFired(world.root),
  };
}

const idOf = ({ body }: { body: Record<string, unknown> }) => (body['backup'] as { id: string }).id;

test.concurrent('a backup is made, verified, restored and deleted', async () => {
  await using world = await startBackups();
  const made = await world.backUp('first');
  expect(made).toMatchObject({ status: 201, body: { backup: { name: 'first' } } });
  expect(await world.backUp('first')).toMatchObject({ body: { backup: { id: idOf(made) } } });
  expect(await world.list()).toHaveLength(1);
  world.write('after');

  expect(await world.verify(idOf(made))).toMatchObject({ status: 200 });
  expect(await world.restore(idOf(made))).toMatchObject({ status: 200 });
  expect(world.read()).toBe('before');
  expect(await world.remove(idOf(made))).toMatchObject({ status: 200 });
  expect(await world.remove(idOf(made))).toMatchObject({
    ...{ status: 404, body: { error: 'backup_not_found' } },
  });
  expect(world.archives()).toEqual([]);
});

test.concurrent('a damaged backup is neither verified nor restored, and stays', async () => {
  await using world = await startBackups();
  const id = idOf(await world.backUp('first'));
  writeFileSync(join(world.root, 'srv', 'backups', `${id}.tar.gz`), 'rotten');
  world.write('after');

  const refused = { status: 422, body: { error: 'checksum_mismatch' } };
  expect(await world.verify(id)).toMatchObject(refused);
  expect(await world.restore(id)).toMatchObject(refused);
  expect(world.read()).toBe('after');
  expect(await world.list()).toHaveLength(1);
});

test.concurrent.each([
  ...STEPS.create.map((step) => ['create', step] as const),
  ...STEPS.restore.map((step) => ['restore', step] as const),
  ...STEPS.delete.map((step) => ['delete', step] as const),
])('an agent killed while it is to %s, at %s, loses nothing', async (verb, step) => {
  await using world = await startBackups();
  const id = idOf(await world.backUp('first'));
  world.write('after');
  world.plan({ dieAt: step });
  const order = {
    create: () => world.backUp('second'),
    restore: () => world.restore(id),
    delete: () => world.remove(id),
  }[verb];

  await expect(order()).rejects.toThrow();
  await world.restart();

  expect(world.fired()).toEqual([`dieAt ${step}`]);
  expect(['before', 'after']).toContain(world.read());
  expect(world.leftovers()).toEqual([]);
  const survivors = (await world.list()).map((one) => one.name);
  if (verb !== 'delete') expect(survivors).toContain('first');
  for (const one of await world.list()) {
    expect(await world.verify(one.id)).toMatchObject({ status: 200 });
  }
  // What was asked for is asked for again, and is as it would have been.
  const again = await order();
  expect(verb === 'delete' ? [200, 404] : [200, 201]).toContain(again.status);
  expect(world.read()).toBe(verb === 'restore' ? 'before' : 'after');
  const names = (await world.list()).map((one) => one.name);
  expect(names).toEqual({ create: ['first', 'second'], restore: ['first'], delete: [] }[verb]);
  expect(world.archives()).toHaveLength(names.length);
});

test.concurrent.each([
  ...['create.begun', 'create.packed', 'create.described', 'restore.begun', 'restore.unpacked'],
  // What had been moved away was lost with the next start of the agent.
  'restore.moved_out',
])('a disk that is full at %s is said, and leaves what was there', async (step) => {
  await using world = await startBackups();
  const id = idOf(await world.backUp('first'));
  world.write('after');
  world.plan({ diskFullAt: step });

  const answer = await (step.startsWith('create') ? world.backUp('second') : world.restore(id));

  expect(answer).toMatchObject({ status: 507, body: { error: 'disk_full' } });
  expect(world.fired()).toEqual([`diskFullAt ${step}`]);
  expect(world.read()).toBe('after');
  expect(world.leftovers()).toEqual([]);
  expect((await world.list()).map((one) => one.name)).toEqual(['first']);
});

test.concurrent('an order whose answer is lost is done, and is not done again', async () => {
  await using world = await startBackups();
  world.plan({ loseAnswer: 'POST' });

  await expect(world.backUp('first')).rejects.toThrow();

  expect(await world.backUp('first')).toMatchObject({ status: 201 });
  expect(await world.list()).toHaveLength(1);
  expect(world.fired()).toEqual(['loseAnswer POST']);
});
