import { expect, test } from 'vitest';

import { ALICE, createClient, startTestApp } from '../support/app.ts';

const ORDER = { ctype: 'game', game: 'terraria', version: '1.4.4', memoryMiB: 512 };

test('a node that ends answers whoever waits, at once, with the truth so far', async () => {
  await using app = await startTestApp({ proxmox: { delays: { cloneMs: 3_000 } } });
  const alice = await app.signIn(ALICE);
  const node = await app.startNode({ ROLE: 'api' });
  const waiting = createClient(node.url ?? '', alice.token).call('POST', '/api/instances', {
    body: ORDER,
    headers: { prefer: 'wait=60' },
  });
  await expect
    .poll(async () => (await alice.call('GET', '/api/instances')).body.rows.length)
    .toBe(1);

  const startedAt = performance.now();
  await node[Symbol.asyncDispose]();
  const answer = await waiting;

  expect(performance.now() - startedAt).toBeLessThan(2_000);
  expect(answer).toMatchObject({ status: 202, body: { operation: { state: 'running' } } });
});
