import type { AgentBackups } from '../../clients/agent/backups.ts';
import type { AgentClient } from '../../clients/agent/client.ts';
import { UpstreamError } from '../../errors.ts';
import type { Performers } from './performer.ts';
import { poll } from './poll.ts';

type BackupKind = Extract<keyof Performers, `backup.${string}`>;

export interface BackupOptions {
  readonly backups: AgentBackups;
  readonly agents: Pick<AgentClient, 'control' | 'status'>;
  readonly pollMs: number;
}

/** Less than the deadline of the state that waits for it. */
const GAME_TIMEOUT_MS = 240_000;
const RUNS: readonly string[] = ['running', 'starting', 'crashed'];
const RESTS: readonly string[] = ['stopped', 'idle', 'error', 'crashed'];

export function createBackupPerformers(options: BackupOptions): Pick<Performers, BackupKind> {
  const { backups, agents, pollMs } = options;

  const becomes = (ip: string, states: readonly string[], signal: AbortSignal) =>
    poll(async () => (states.includes((await agents.status(ip, { signal })).state) ? true : null), {
      ...{ signal, pollMs, timeoutMs: GAME_TIMEOUT_MS },
      failure: { reason: 'game_slow', message: `the game did not become ${states[0]}` },
    });

  return {
    /** A predecessor may have made it and not lived to tell: it is found by its name. */
    async 'backup.create'({ ip, opId, name }, { signal }) {
      const known = (await backups.list(ip, { signal })).find((one) => one.name === name);
      const { id } = known ?? (await backups.create(ip, name, { signal }));
      return { type: 'backup.made', opId, backupId: id };
    },
    async 'backup.halt'({ ip, opId }, { signal, progress }) {
      const { state } = await agents.status(ip, { signal });
      // A predecessor may have stopped it: what it saw was told before, and stays.
      const wasRunning = RUNS.includes(state);
      if (wasRunning) await progress({ type: 'game.found_running', opId });
      if (!RESTS.includes(state) || state === 'crashed') {
        await agents.control(ip, 'stop', { signal });
        await becomes(ip, ['stopped', 'idle', 'error'], signal);
      }
      return { type: 'game.halted', opId };
    },
    /** Done twice it is as done once: the files are those of the backup. */
    async 'backup.restore'({ ip, opId, backupId }, { signal }) {
      await backups.restore(ip, backupId, { signal });
      return { type: 'backup.restored', opId };
    },
    async 'backup.resume'({ ip, opId }, { signal }) {
      await agents.control(ip, 'start', { signal });
      await becomes(ip, ['running'], signal);
      return { type: 'game.resumed', opId };
    },
    async 'backup.verify'({ ip, opId, backupId }, { signal }) {
      try {
        await backups.verify(ip, backupId, { signal });
      } catch (error) {
        const isDamaged = error instanceof UpstreamError && error.details['status'] === 422;
        if (!isDamaged) throw error;
        throw new UpstreamError('the backup does not match its checksum', {
          ...{ reason: 'backup_damaged', retryable: false, cause: error },
        });
      }
      return { type: 'backup.verified', opId };
    },
    async 'backup.delete'({ ip, opId, backupId }, { signal }) {
      await backups.remove(ip, backupId, { signal });
      return { type: 'backup.deleted', opId };
    },
  };
}
