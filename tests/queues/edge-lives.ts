import type { EdgePlan, TargetKind } from '../../src/machines/instance/edge-types.ts';
import { createTimerProcessor } from '../../src/queues/workers/deliver-timers.ts';
import { createInstanceStore } from '../../src/storage/instance-store.ts';
import { createTimers } from '../../src/storage/timers.ts';
import { sampleInput } from '../support/instance-model.ts';
import { planOf } from './edge-parties.ts';
import { serve, setUpObservers } from './polls-world.ts';
import { addressOf, idOf } from './worker-world.ts';

export const ipOf = (vmid: number) => `10.1.${vmid >> 8}.${vmid & 255}`;

/** Instances whose calls at the edge end as the test says. */
export async function setUpLives() {
  const t = await setUpObservers();
  const main = t.createNode();
  const instances = createInstanceStore(t.database.pool);
  const { actors } = main;

  const tell = (vmid: number, event: { type: string; [field: string]: unknown }) =>
    actors.tell(addressOf(vmid), event);

  /** Ends the call to one third party that is in flight. */
  async function end(vmid: number, lane: TargetKind | 'proxy', type: string, fields: object = {}) {
    const { ops } = await t.contextOf(actors, vmid);
    const op = lane === 'proxy' ? ops.proxy : ops.edge[lane];
    await tell(vmid, { type, opId: op?.id ?? `no call to ${lane}`, ...fields });
  }

  /** In service, with the calls to the edge in flight. */
  async function publishing(vmid: number, plan: EdgePlan = planOf(vmid)): Promise<void> {
    const names = { id: idOf(vmid), vmid, hostname: `mc-${vmid}` };
    const input = sampleInput({ ...names, plan });
    await actors.create(addressOf(vmid), input, (step) => instances.create({ vmid, step }));
    await serve(actors, vmid, ipOf(vmid));
  }

  return {
    ...t,
    main,
    tell,
    end,
    publishing,
    async published(vmid: number, { isVerified = true, plan = planOf(vmid) } = {}): Promise<void> {
      await publishing(vmid, plan);
      for (const { kind } of plan.targets) await end(vmid, kind, 'target.published');
      if (plan.proxy) await end(vmid, 'proxy', 'proxy.registered', { isVerified });
    },
    /** Taken off by an administrator; nothing of it is left. */
    async unpublished(vmid: number, plan: EdgePlan = planOf(vmid)): Promise<void> {
      await this.published(vmid, { plan });
      await this.withdraw(vmid, plan);
    },
    async withdraw(vmid: number, plan: EdgePlan = planOf(vmid)): Promise<void> {
      await tell(vmid, { type: 'unpublish.requested', operationId: 'op-8', requestedBy: 'a-1' });
      for (const { kind } of plan.targets) await end(vmid, kind, 'target.removed');
      if (plan.proxy) await end(vmid, 'proxy', 'proxy.unregistered');
    },
    /** By an administrator. */
    republish: (vmid: number, plan: EdgePlan = planOf(vmid)) =>
      tell(vmid, { type: 'publish.requested', plan, operationId: 'op-9', requestedBy: 'a-1' }),
    /** Its container is gone; its calls to the edge are in flight. */
    async remove(vmid: number): Promise<void> {
      const wish = { operationId: 'op-7', requestedBy: 'c-1', force: true };
      await tell(vmid, { type: 'delete.requested', ...wish });
      for (const type of ['container.stopped', 'container.destroyed']) {
        const { ops } = await t.contextOf(actors, vmid);
        await tell(vmid, { type, opId: ops.host?.id ?? 'no call to Proxmox' });
      }
    },
    /** Those between two rounds of calls to the edge. */
    async passPauses(): Promise<void> {
      await t.rows(`UPDATE timer SET due_at = now() - interval '1 s'
        WHERE timer_id LIKE 'xstate.after.edgePause%' OR timer_id LIKE 'xstate.after.proxyPause%'`);
      const timers = createTimers(main.pool);
      await createTimerProcessor({ timers, actors }).deliverDue();
    },
    /** As after its life: only the archive knows it. */
    async archive(vmid: number, id = idOf(vmid)): Promise<void> {
      await t.rows(`INSERT INTO deleted_instance
          (id, vmid, customer_id, ctype, hostname, payload, allocated_ports, operation, created_at)
        VALUES ('${id}', ${vmid}, 'c', 'game', 'mc-${vmid}', '{}', '[]', '{}', now())`);
      await t.rows(`DELETE FROM container_instance WHERE id = '${id}'`);
    },
    async edgeOf(vmid: number) {
      const { snapshot, version } = await actors.read(addressOf(vmid));
      const { edge, proxy } = snapshot.value as Record<string, unknown>;
      const { payload } = snapshot.context as Awaited<ReturnType<typeof t.contextOf>>;
      const targets = payload.edge?.targets.map(({ state }) => state) ?? [];
      return { edge, proxy, targets, forgotten: payload.proxy?.forgotten, version };
    },
  };
}
