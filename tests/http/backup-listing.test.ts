import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

import { afterAll, expect, test } from 'vitest';

import { createAgentBackups } from '../../src/clients/agent/backups.ts';
import { createBackupListing } from '../../src/http/backups/listing.ts';
import { backupsView, viewBackups } from '../../src/http/backups/views.ts';
import { toProblem } from '../../src/http/problem.ts';
import { createBackups } from '../../src/storage/backups.ts';
import type { FleetEntry } from '../../src/view/fleet.ts';
import { createTestDatabase } from '../support/database.ts';
import { serve } from '../support/instance-life.ts';
import { insertInstance } from '../support/instance-row.ts';

let answer: readonly [status: number, body: string] = [200, '[]'];
const agent = createServer((_, response) => void response.writeHead(answer[0]).end(answer[1]));
await once(agent.listen(0, '127.0.0.1'), 'listening');
const { port } = agent.address() as AddressInfo;

await using opened = new AsyncDisposableStack();
const database = opened.use(await createTestDatabase());
const backups = opened.use(createAgentBackups({ port, timeoutMs: 2_000, orderTimeoutMs: 2_000 }));
opened.defer(() => void agent.close());
const closing = opened.move();
afterAll(() => closing.disposeAsync());

const ID = '5001-a';
await insertInstance(database.pool, { id: ID, vmid: 5001 });
const known = createBackups(database.pool);
const { value, context } = serve().state;
const state = { value, context: { ...context, ip: '127.0.0.1' }, since: {} };
const entry = { id: ID, vmid: 5001, state } as unknown as FleetEntry;
const list = createBackupListing({ backups, known });

async function ask(status: number, body: unknown) {
  answer = [status, typeof body === 'string' ? body : JSON.stringify(body)];
  const { listed, rows } = await list(entry, AbortSignal.timeout(5_000));
  return backupsView.parse(viewBackups(listed, rows));
}

test.each([404, 409, 429, 500, 503, 507])(
  'the status %i of an agent is passed on, with its body below details',
  async (status) => {
    const body = { error: 'its word', more: [1] };
    const error = await ask(status, body).catch((thrown: unknown) => thrown);

    const problem = toProblem(error, 'urn:x');

    expect(problem).toMatchObject({ status, error: 'backups_failed', details: body });
    expect(problem).not.toHaveProperty('forwardedStatus');
  },
);

test.each([401, 403, 302])('the status %i of an agent is between it and us', async (status) => {
  const error = await ask(status, 'no JSON').catch((thrown: unknown) => thrown);

  expect(toProblem(error, 'urn:x')).toMatchObject({ status: 502, details: null });
});

test.each(['<html>', '{"backups":1}', '{"ok":true}', '[{"no":"id"}]'])(
  '%s is no list of backups',
  async (body) => {
    await expect(ask(200, body)).rejects.toMatchObject({ reason: 'answer_unreadable' });
  },
);

test('a bare list has the same shape, and the words of the agent stay readable', async () => {
  const old = { id: 'b1', size: 7, created_at: '2026-11-24T00:00:00Z', world: 'nether' };

  const view = await ask(200, [old]);

  expect(view).toEqual({
    ok: true,
    missing: [],
    backups: [
      {
        ...old,
        ...{ name: null, sizeBytes: 7, createdAt: old.created_at, sha256: null },
        ...{ state: 'unverified', verifiedAt: null, damagedAt: null, locked: false },
      },
    ],
  });
});

test('what the agent says beside is kept, and what it lists no more is missing', async () => {
  await ask(200, [{ id: 'b1' }]);
  await known.lock(ID, 'b1', 'u-1');

  const view = await ask(200, { backups: [{ id: 'b2', name: 'mine' }], quota: 3, ok: 'yes' });

  expect(view).toMatchObject({
    ...{ ok: true, quota: 3, backups: [{ id: 'b2', name: 'mine' }] },
    missing: [{ id: 'b1', locked: true }],
  });
});
