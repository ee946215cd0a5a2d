import { planBirth } from '../../src/actors/birth.ts';
import type { Step, Stored, StoredSnapshot } from '../../src/actors/store.ts';
import { listUnchanged } from '../../src/actors/unchanged.ts';
import { definitions } from '../../src/machines/index.ts';
import type { InstanceContext, InstanceInput } from '../../src/machines/instance/types.ts';
import { createActorStore } from '../../src/storage/actor-store.ts';
import type { Database } from '../../src/storage/database.ts';
import { createInstanceStore } from '../../src/storage/instance-store.ts';

export interface NewInstance {
  readonly vmid: number;
  readonly customerId: string;
  readonly more?: Partial<InstanceInput>;
}

/**
 * Some other node: it commits real steps of real instances, and tells nobody. Nothing performs
 * what they ask for, so they change only when the test says so.
 */
export interface FleetWriter {
  create(instances: readonly NewInstance[]): Promise<void>;
  /** One step of each of these instances, in one transaction. @returns their new versions */
  change(
    vmids: readonly number[],
    more?: Partial<InstanceContext>,
    value?: Readonly<Record<string, unknown>>,
  ): Promise<readonly number[]>;
  end(vmid: number): Promise<void>;
  /** The next step of an instance, not committed. */
  stepOf(
    vmid: number,
    more?: Partial<InstanceContext>,
    value?: Readonly<Record<string, unknown>>,
  ): Step;
}

export const idOf = (vmid: number) => `${vmid}-test`;

function inputOf({ vmid, customerId, more }: NewInstance): InstanceInput {
  return {
    id: idOf(vmid),
    vmid,
    customerId,
    ctype: 'game',
    hostname: `terraria-${vmid}`,
    engineType: 'terraria',
    allocatedPorts: [7_777],
    payload: {
      game: 'terraria',
      variant: 'vanilla',
      runtime: null,
      version: '1.4.4',
      world: null,
      memoryMiB: 512,
      cpuCores: 2,
    },
    plan: { targets: [], proxy: null },
    readyDeadlineMs: 600_000,
    restarts: { max: 3, windowMs: 600_000 },
    operation: { id: 'op-1', requestedBy: customerId },
    at: Date.now(),
    ...more,
  };
}

export function createFleetWriter({ pool }: Database): FleetWriter {
  const store = createActorStore(pool);
  const creation = createInstanceStore(pool);
  const current = new Map<number, Stored>();

  const stepOf: FleetWriter['stepOf'] = (vmid, more = {}, value = {}) => {
    const before = current.get(vmid);
    if (!before) throw new Error(`there is no instance ${vmid}`);
    const context = before.snapshot.context as InstanceContext;
    const version = before.version + 1;
    // Something that clients see, and that says which version it is of.
    const agent = { ...context.agent, crashCount: version };
    const after = { ...context, agent, ...more };
    const snapshot: StoredSnapshot = {
      ...before.snapshot,
      value: { ...(before.snapshot.value as object), ...value },
      context: after,
    };
    const event = { type: 'agent.observed', at: Date.now() };
    const unchanged = listUnchanged(context, after);
    const rest = { effects: [], arms: [], cancels: [], operations: [], unchanged, archives: false };
    return { ...before, version, snapshot, eventId: `test-${version}`, event, ...rest };
  };

  async function commit(steps: readonly Step[]): Promise<void> {
    const outcomes = await store.commit(steps);
    if (outcomes.includes('void')) throw new Error('somebody else has stepped these instances');
  }

  return {
    stepOf,
    async create(instances) {
      for (const one of instances) {
        const { id } = inputOf(one);
        const input = inputOf(one);
        const step = planBirth(definitions.instance, {
          kind: 'instance',
          id,
          input,
          eventId: 'created',
          at: input.at,
        });
        await creation.create({ vmid: one.vmid, step: { ...step, effects: [], arms: [] } });
        current.set(one.vmid, step);
      }
    },
    async change(vmids, more, value) {
      const steps = vmids.map((vmid) => stepOf(vmid, more, value));
      await commit(steps);
      for (const [index, vmid] of vmids.entries()) current.set(vmid, steps[index] as Step);
      return steps.map(({ version }) => version);
    },
    async end(vmid) {
      const event = { type: 'container.destroyed', at: Date.now() };
      await commit([{ ...stepOf(vmid), event, archives: true }]);
      current.delete(vmid);
    },
  };
}
