import type { ProxmoxClient } from '../../clients/proxmox/client.ts';
import { failedBecause } from '../../clients/proxmox/failure.ts';
import type { PowerTask } from '../../clients/proxmox/operations.ts';
import type { Place } from '../../clients/proxmox/reads.ts';
import type { Upid } from '../../clients/proxmox/upid.ts';
import type { Effect, PowerStep } from '../../machines/instance/types.ts';
import type { NodeSlots } from '../../storage/node-slots.ts';
import { requireContainer } from './container.ts';
import type { Performance, Performers, ToldEvent } from './performer.ts';
import { createTaskFollower, ignoring } from './task-follower.ts';

export interface PowerOptions {
  readonly proxmox: ProxmoxClient;
  readonly slots: NodeSlots;
  readonly pollMs: number;
  readonly shutdownTimeoutS: number;
}

type PowerKind = `container.${PowerStep}`;
type PowerEffect = Extract<Effect, { kind: PowerKind }>;

interface Step {
  readonly task: PowerTask;
  readonly start: (place: Place) => Promise<Upid>;
  /** What the container is once it is done; null: that tells nothing. */
  readonly leadsTo: 'running' | 'stopped' | null;
  /** An answer that means: somebody was faster. */
  readonly harmless: readonly ('already_running' | 'not_running')[];
  readonly done: (opId: string) => ToldEvent;
}

/**
 * Changes of power. None is asked for twice: an earlier attempt's task is waited for, whether we
 * know its number or have to look for it, and what is as it should be is left alone.
 */
export function createPower(options: PowerOptions): Pick<Performers, PowerKind> {
  const { proxmox, slots, pollMs } = options;
  const timeoutS = options.shutdownTimeoutS;
  const tasks = createTaskFollower(proxmox, pollMs);

  /** Did an earlier attempt of this very call do it? @throws UpstreamError if it failed */
  async function isDone(
    place: Place,
    { opId, known }: PowerEffect,
    { task, leadsTo }: Step,
    performance: Performance,
  ): Promise<boolean> {
    const begun =
      performance.upid ??
      (await proxmox.findPowerTask(place, task, { ageMs: performance.ageMs, known }))?.upid;
    const hasEnded = begun !== undefined && (await tasks.ended(opId, begun, performance));
    return leadsTo === null ? hasEnded : (await proxmox.readStatus(place))?.status === leadsTo;
  }

  const perform = (step: Step) => async (effect: PowerEffect, performance: Performance) => {
    const { vmid, id, opId, node } = effect;
    const { place } = await requireContainer(proxmox, { vmid, id }, node);
    if (!(await isDone(place, effect, step, performance))) {
      await slots.use(place.node, performance.signal, () =>
        ignoring(step.harmless, async () =>
          tasks.follow(opId, await step.start(place), performance),
        ),
      );
    }
    return step.done(opId);
  };

  const start = perform({
    task: 'start',
    start: (place) => proxmox.startContainer(place),
    leadsTo: 'running',
    harmless: ['already_running'],
    done: (opId) => ({ type: 'container.started', opId }),
  });
  const restart = perform({
    task: 'reboot',
    start: (place) => proxmox.rebootContainer({ ...place, timeoutS }),
    leadsTo: null,
    harmless: [],
    done: (opId) => ({ type: 'container.restarted', opId }),
  });
  return {
    'container.start': start,
    'container.shutdown': perform({
      task: 'shutdown',
      start: (place) => proxmox.shutdownContainer({ ...place, timeoutS, forceStop: false }),
      leadsTo: 'stopped',
      harmless: ['not_running'],
      done: (opId) => ({ type: 'container.stopped', opId }),
    }),
    'container.stop': perform({
      task: 'stop',
      start: (place) => proxmox.stopContainer(place),
      leadsTo: 'stopped',
      harmless: ['not_running'],
      done: (opId) => ({ type: 'container.stopped', opId }),
    }),
    async 'container.restart'(effect, performance) {
      try {
        return await restart(effect, performance);
      } catch (error) {
        // Somebody was faster and turned it off: what is wanted is that it runs anew.
        if (!failedBecause(error, 'not_running')) throw error;
        await start({ ...effect, kind: 'container.start' }, performance);
        return { type: 'container.restarted', opId: effect.opId };
      }
    },
  };
}
