import { expect, test } from 'vitest';

import { createProxmoxClient } from '../../src/clients/proxmox/client.ts';
import { createOrphanFinder } from '../../src/queues/workers/find-orphans.ts';
import { createDebts } from '../../src/storage/debts.ts';
import { createInstances } from '../../src/storage/instances.ts';
import { setUp } from '../lab/proxmox-world.ts';
import { createTestDatabase } from '../support/database.ts';
import { insertInstance } from '../support/instance-row.ts';

test('a container of ours that outlived its instance is owed; all others are left alone', async () => {
  await using world = await setUp();
  await using database = await createTestDatabase();
  const { url, ca, tokenId, tokenSecret } = world.proxmox;
  const access = { baseUrl: url, ca, tokenId, tokenSecret, timeoutMs: 5_000 };
  await using proxmox = createProxmoxClient(access);
  const archive = (id: string, vmid: number) =>
    database.pool.query(
      `INSERT INTO deleted_instance
         (id, vmid, customer_id, ctype, hostname, payload, allocated_ports, operation, created_at)
       VALUES ($1, $2, 'c', 'game', 'h', '{}', '[]', '{}', now())`,
      [id, vmid],
    );
  await archive('5001-dead', 5001);
  await archive('5002-dead', 5002);
  await insertInstance(database.pool, { id: '5002-alive', vmid: 5002 });
  world.proxmox.make(5001, { description: 'zpack:5001-dead' });
  world.proxmox.make(5002, { description: 'zpack:5002-alive' });
  world.proxmox.make(5003, { description: 'zpack:5003-of-another-installation' });
  world.proxmox.make(5004, { description: 'made by hand' });
  world.proxmox.make(7000, { description: 'zpack:5001-dead' });
  const find = createOrphanFinder({
    proxmox,
    instances: createInstances(database.prisma),
    debts: createDebts(database.prisma),
    ranges: [{ name: 'game', min: 5000, max: 5999 }],
  });

  await find(await proxmox.listContainers(), AbortSignal.timeout(5_000));
  const found = await find(await proxmox.listContainers(), AbortSignal.timeout(5_000));

  expect(found).toMatchObject([
    { vmid: 5001, marker: '5001-dead', belongsTo: '5001-dead', isOwed: true },
    { vmid: 5003, marker: '5003-of-another-installation', belongsTo: null, isOwed: false },
    { vmid: 5004, marker: null, belongsTo: null, isOwed: false },
  ]);
  const { rows } = await database.pool.query('SELECT instance_id, vmid, code FROM debt');
  expect(rows).toEqual([{ instance_id: '5001-dead', vmid: 5001, code: 'orphan' }]);
});
