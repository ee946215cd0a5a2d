import type { AgentBackups, Backup } from '../../clients/agent/backups.ts';
import type { AgentClient } from '../../clients/agent/client.ts';
import { UpstreamError } from '../../errors.ts';
import type { Backups } from '../../storage/backups.ts';
import type { Performance, Performers } from './performer.ts';
import { poll } from './poll.ts';

type BackupKind = Extract<keyof Performers, `backup.${string}`>;

export interface BackupOptions {
  readonly backups: AgentBackups;
  readonly agents: Pick<AgentClient, 'control' | 'status'>;
  /** What we know of them beside. */
  readonly known: Pick<Backups, 'record' | 'noteChecked' | 'claimDeletion' | 'forget'>;
  readonly pollMs: number;
}

/** Each is less than the deadline of the state that waits for it. */
const GAME_TIMEOUT_MS = 240_000;
const BUSY_TIMEOUT_MS = 50 * 60_000;
const BUSY_DELETION_TIMEOUT_MS = 240_000;
const BUSY_POLL_MS = 2_000;
const RUNS: readonly string[] = ['running', 'starting', 'crashed'];
const RESTS: readonly string[] = ['stopped', 'idle', 'error'];

const statusOf = (error: unknown) => (error instanceof UpstreamError ? error.details['status'] : 0);

/** It is not there, or cannot be done. */
const isUnknown = (error: unknown) => statusOf(error) === 404 || statusOf(error) === 405;

const failed = (reason: string, message: string, cause?: unknown) =>
  new UpstreamError(message, { reason, retryable: false, ...(cause !== undefined && { cause }) });

/** Waits for an agent that works on another order: perhaps one that we have given up. */
const inTurn = <T>(
  act: () => Promise<T>,
  { signal }: Pick<Performance, 'signal'>,
  timeoutMs = BUSY_TIMEOUT_MS,
): Promise<T> =>
  poll(
    () =>
      act().then(
        (value) => ({ value }),
        (error: unknown) => {
          if (error instanceof UpstreamError && error.reason === 'agent_busy') return null;
          throw error;
        },
      ),
    {
      ...{ signal, pollMs: BUSY_POLL_MS, timeoutMs },
      failure: { reason: 'agent_busy', message: 'the agent works on another backup' },
    },
  ).then(({ value }) => value);

/** What an agent refuses about a backup, by a name that clients know. */
function toReason(error: unknown): unknown {
  const status = statusOf(error);
  if (status === 404) return failed('backup_not_found', 'the agent has no such backup', error);
  if (status === 422) {
    return failed('backup_damaged', 'the backup does not match its checksum', error);
  }
  return status === 507 ? failed('disk_full', 'the disk of the container is full', error) : error;
}

export function createBackupPerformers(options: BackupOptions): Pick<Performers, BackupKind> {
  const { backups, known } = options;
  const game = createGame(options);
  const find = async (ip: string, signal: AbortSignal, is: (one: Backup) => boolean) =>
    (await backups.list(ip, { signal })).find(is);

  return {
    /** A predecessor may have made it and not lived to tell: it is found by its name. */
    async 'backup.create'({ ip, id, opId, operationId }, performance) {
      const { signal } = performance;
      const made = await inTurn(async () => {
        const before = await find(ip, signal, ({ name }) => name === operationId);
        return before ?? (await backups.create(ip, operationId, { key: operationId, signal }));
      }, performance).catch((error: unknown) => {
        throw toReason(error);
      });
      await known.record(id, made);
      return { type: 'backup.made', opId, backupId: made.id };
    },
    async 'backup.verify'({ ip, id, opId, operationId, backupId }, performance) {
      const call = { key: operationId, signal: performance.signal };
      try {
        await inTurn(() => backups.verify(ip, backupId, call), performance);
      } catch (error) {
        throw await unverified(error, () => find(ip, call.signal, (one) => one.id === backupId));
      }
      await known.noteChecked(id, backupId, true);
      return { type: 'backup.verified', opId };

      async function unverified(error: unknown, look: () => Promise<Backup | undefined>) {
        if (statusOf(error) === 422) await known.noteChecked(id, backupId, false);
        // It knows the backup, and not what it was asked to do with it.
        if (isUnknown(error) && (await look())) {
          return failed('verify_unsupported', 'its agent cannot verify backups', error);
        }
        return toReason(error);
      }
    },
    /** It is looked for before the game is stopped for it. */
    async 'backup.halt'({ ip, opId, backupId }, { signal, progress }) {
      if (!(await find(ip, signal, (one) => one.id === backupId))) {
        throw failed('backup_not_found', 'the agent has no such backup');
      }
      await game.halt(ip, signal, () => progress({ type: 'game.found_running', opId }));
      return { type: 'game.halted', opId };
    },
    /** Done twice it is as done once: the files are those of the backup. */
    async 'backup.restore'({ ip, id, opId, operationId, backupId }, performance) {
      const call = { key: operationId, signal: performance.signal };
      await inTurn(() => backups.restore(ip, backupId, call), performance).catch(
        async (error: unknown) => {
          // Found out on the way: it is no good backup, whatever was found before.
          if (statusOf(error) === 422) await known.noteChecked(id, backupId, false);
          throw toReason(error);
        },
      );
      return { type: 'backup.restored', opId };
    },
    async 'backup.resume'({ ip, opId }, { signal }) {
      await game.resume(ip, signal);
      return { type: 'game.resumed', opId };
    },
    async 'backup.delete'({ ip, id, opId, operationId, backupId }, performance) {
      const call = { key: operationId, signal: performance.signal };
      const remove = async () => {
        if (!(await known.claimDeletion(id, backupId, operationId))) {
          throw failed('backup_locked', 'the backup is locked against deletion');
        }
        await backups.remove(ip, backupId, call);
      };
      try {
        await inTurn(remove, performance, BUSY_DELETION_TIMEOUT_MS);
      } catch (error) {
        if (!isUnknown(error)) throw error;
        if (await find(ip, call.signal, (one) => one.id === backupId)) {
          throw failed('delete_unsupported', 'its agent cannot delete backups', error);
        }
      }
      await known.forget(id, backupId);
      return { type: 'backup.deleted', opId };
    },
  };
}

/** The game inside, stopped for a restoration and started again after it. */
function createGame({ agents, pollMs }: BackupOptions) {
  const becomes = (ip: string, states: readonly string[], signal: AbortSignal) =>
    poll(
      async () => {
        const { state } = await agents.status(ip, { signal });
        return states.includes(state) ? state : null;
      },
      {
        ...{ signal, pollMs, timeoutMs: GAME_TIMEOUT_MS },
        failure: { reason: 'game_slow', message: `the game did not become ${states[0]}` },
      },
    );
  return {
    /** A predecessor may have stopped it: what it saw was told before, and stays. */
    async halt(ip: string, signal: AbortSignal, foundRunning: () => Promise<void>): Promise<void> {
      const { state } = await agents.status(ip, { signal });
      if (RUNS.includes(state)) await foundRunning();
      if (RESTS.includes(state)) return;
      await agents.control(ip, 'stop', { signal });
      await becomes(ip, RESTS, signal);
    },
    /** One that has died was started, by whoever it was: that is another matter. */
    async resume(ip: string, signal: AbortSignal): Promise<void> {
      const { state } = await agents.status(ip, { signal });
      if (RESTS.includes(state)) await agents.control(ip, 'start', { signal });
      if ((await becomes(ip, ['running', 'crashed'], signal)) === 'running') return;
      throw failed('game_crashed', 'the game was started again, and has died');
    },
  };
}
