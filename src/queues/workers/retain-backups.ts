import type { ActorSystem } from '../../actors/system.ts';
import type { AgentBackups } from '../../clients/agent/backups.ts';
import { NotFoundError, UpstreamError } from '../../errors.ts';
import type { InstanceContext } from '../../machines/instance/types.ts';
import type { BackupPolicies, UnretainedPolicy } from '../../storage/backup-policies.ts';
import type { Backups } from '../../storage/backups.ts';
import type { Logger } from '../../telemetry/logger.ts';
import { surplusOf } from './backup-surplus.ts';

const BATCH_MAX = 50;
const EVERY_MS = 3_600_000;
/** In whose name they are deleted. */
const RETENTION = 'retention';

export interface RetentionOptions {
  readonly policies: Pick<BackupPolicies, 'listUnretained' | 'noteRetained'>;
  readonly backups: Pick<AgentBackups, 'list'>;
  readonly known: Pick<Backups, 'adopt' | 'list'>;
  readonly actors: Pick<ActorSystem, 'ask' | 'read'>;
  readonly randomId: () => string;
  readonly logger: Logger;
}

/**
 * Has backups deleted that need not be kept: after each that was verified, and once an hour. One at
 * a time and through the machine, like everybody else; the next sweep asks for the next.
 */
export function createRetention(options: RetentionOptions) {
  const { policies, backups, known, actors, randomId, logger } = options;

  /** true: there is nothing more to do for now. */
  async function retain(policy: UnretainedPolicy, signal: AbortSignal): Promise<boolean> {
    const { instanceId, now } = policy;
    const address = { kind: 'instance', id: instanceId } as const;
    const { snapshot } = await actors.read(address);
    const { ip, maintenance } = snapshot.context as InstanceContext;
    if (ip === null || !snapshot.matches({ host: 'running' })) return true;
    const last = maintenance.operation;
    // After a deletion of ours comes the next one. For whoever else is at it, nobody waits.
    if (last?.state === 'running') return last.requestedBy !== RETENTION;
    // What could not be deleted is tried again later, and not at every sweep.
    if (last?.requestedBy === RETENTION && last.state === 'failed' && isNew(last, now)) return true;
    await known.adopt(instanceId, await backups.list(ip, { signal }));
    const [first] = surplusOf(await known.list(instanceId), policy, now.getTime());
    if (!first) return true;
    const { outcome } = await actors.ask(address, {
      ...{ type: 'backup_deletion.requested', backupId: first.backupId },
      ...{ operationId: `op-${randomId()}`, requestedBy: RETENTION },
    });
    return outcome === 'refused';
  }

  async function retainOne(policy: UnretainedPolicy, shutdown: AbortSignal): Promise<void> {
    try {
      if (!(await retain(policy, shutdown))) return;
    } catch (error) {
      if (shutdown.aborted || error instanceof NotFoundError) return;
      if (!(error instanceof UpstreamError)) throw error;
      logger.warn({ instance: policy.instanceId, err: error }, 'cannot look at backups');
    }
    await policies.noteRetained(policy.instanceId);
  }

  return async (shutdown: AbortSignal): Promise<void> => {
    const due = await policies.listUnretained(EVERY_MS, BATCH_MAX);
    // Side by side: an agent that is away keeps none of the others waiting.
    await Promise.all(due.map((policy) => retainOne(policy, shutdown)));
  };
}

const isNew = ({ finishedAt }: { readonly finishedAt: number | null }, now: Date) =>
  finishedAt !== null && now.getTime() - finishedAt < EVERY_MS;
