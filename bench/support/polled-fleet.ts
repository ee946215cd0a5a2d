import type { Pool } from 'pg';

import { createActorSystem } from '../../src/actors/system.ts';
import { definitions } from '../../src/machines/index.ts';
import type { InstanceContext } from '../../src/machines/instance/types.ts';
import { createActorStore } from '../../src/storage/actor-store.ts';
import { createInstanceStore } from '../../src/storage/instance-store.ts';
import { sampleInput } from './lives.ts';

const VMID_MIN = 100_000;

/** Every agent has a loopback address of its own, so that each costs connections of its own. */
export const ipOf = (index: number): string =>
  `127.${30 + (index >> 16)}.${(index >> 8) & 255}.${index & 255}`;

/** One instance lives until it is in service; the others are copies with addresses of their own. */
export async function insertServing(pool: Pool, count: number): Promise<void> {
  const actors = createActorSystem({
    store: createActorStore(pool),
    definitions,
    now: Date.now,
    nodeId: 'bench',
  });
  const address = { kind: 'instance', id: `${VMID_MIN}-bench` };
  const restarts = { max: 3, windowMs: 600_000 };
  const input = { ...sampleInput, id: address.id, vmid: VMID_MIN, restarts };
  const { create } = createInstanceStore(pool);
  await actors.create(address, input, (step) => create({ vmid: VMID_MIN, step }));
  const answer = async (lane: 'host' | 'agent', type: string, fields: object = {}) => {
    const { ops } = (await actors.read(address)).snapshot.context as InstanceContext;
    await actors.tell(address, { type, opId: ops[lane]?.id ?? '', ...fields });
  };
  await answer('host', 'container.cloned', { node: 'pve1' });
  await answer('host', 'container.configured');
  await answer('host', 'container.started');
  await answer('host', 'address.found', { ip: ipOf(0) });
  await answer('agent', 'agent.configured');
  const ready = { condition: 'ready', readySource: 'minecraft_ping', installStep: null };
  await actors.tell(address, { type: 'agent.observed', ...ready, crashCount: 0 });
  await pool.query(
    `INSERT INTO container_instance (id, vmid, version, machine_version, payload, snapshot)
     SELECT $1 + i || '-bench', $1 + i, version, machine_version, payload,
       jsonb_set(snapshot, '{context}', snapshot -> 'context' || jsonb_build_object(
         'id', $1 + i || '-bench', 'vmid', $1 + i,
         'ip', '127.' || 30 + (i >> 16) || '.' || ((i >> 8) & 255) || '.' || (i & 255)))
     FROM container_instance, generate_series(1, $2::int - 1) AS i
     WHERE vmid = $1::int`,
    [VMID_MIN, count],
  );
  await pool.query('VACUUM (ANALYZE) container_instance');
}
