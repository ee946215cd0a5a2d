import assert from 'node:assert/strict';

import type { Pool } from 'pg';

import { planBirth } from '../../src/actors/birth.ts';
import { planRows, restore } from '../../src/actors/plan.ts';
import { createTransition } from '../../src/actors/transition.ts';
import { definitions } from '../../src/machines/index.ts';
import type { InstanceContext } from '../../src/machines/instance/types.ts';
import { insertInstances } from './instances.ts';
import { sampleInput } from './lives.ts';

export const ADDRESS = '10.0.12.34';
export const PORT = 25_565;

type Lane = 'host' | 'agent' | 'proxy';

const WAY: readonly (readonly [type: string, lane: Lane | null, fields?: object])[] = [
  ['container.cloned', 'host', { node: 'pve1' }],
  ['container.configured', 'host'],
  ['container.started', 'host'],
  ['address.found', 'host', { ip: ADDRESS }],
  ['agent.configured', 'agent'],
  ['agent.observed', null, { condition: 'ready', readySource: 'console', installStep: null }],
  ['proxy.registered', 'proxy', { isVerified: true }],
];

/** An instance that is ready, and registered with Velocity. */
function toRegistered() {
  const definition = definitions.instance;
  const { id } = sampleInput;
  const plan = { targets: [], proxy: { serverName: 'mc-vanilla-5001', backendPort: PORT } };
  const input = { ...sampleInput, plan };
  const birth = planBirth(definition, { kind: 'instance', id, input, eventId: 'created', at: 1 });
  const step = createTransition(definition.machine);
  let { version, snapshot } = birth;
  for (const [type, lane, fields = {}] of WAY) {
    const before = restore(definition.machine, snapshot);
    const { ops } = before.context as InstanceContext;
    const opId = lane && ops[lane]?.id;
    const event = { type, ...fields, ...(opId && { opId }), at: version + 1 };
    const [after, actions] = step(before as never, event as never);
    version += 1;
    ({ snapshot } = planRows({ id, version, before: snapshot, at: version }, after, actions));
  }
  const { proxy } = snapshot.value as { readonly proxy: string };
  assert.equal(proxy, 'registered');
  return { version, snapshot };
}

export interface RegisteredServer {
  readonly id: string;
  readonly vmid: number;
  readonly name: string;
}

/** The table has these instances, and no other. */
export async function insertRegistered(
  pool: Pool,
  count: number,
): Promise<readonly RegisteredServer[]> {
  const start = toRegistered();
  const life = { start, beats: [], opsPerRound: 0, effects: [], timers: [] };
  const cursors = await insertInstances(pool, [life], count);
  await pool.query(
    `UPDATE container_instance SET machine_version = $1, payload = jsonb_set(
       payload, '{proxy,serverName}', to_jsonb('mc-vanilla-' || vmid))`,
    [definitions.instance.machineVersion],
  );
  return cursors.map(({ id }) => {
    const vmid = Number.parseInt(id, 10);
    return { id, vmid, name: `mc-vanilla-${vmid}` };
  });
}
