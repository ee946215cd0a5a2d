import type { AgentBackups } from '../../clients/agent/backups.ts';
import { ControlPlaneError, UpstreamError } from '../../errors.ts';
import type { Backups, KnownBackup } from '../../storage/backups.ts';
import type { FleetEntry } from '../../view/fleet.ts';
import { addressOf } from '../agent-access.ts';
import { type ListedBody, readListed } from './views.ts';

export interface ListingDependencies {
  readonly backups: Pick<AgentBackups, 'ask'>;
  readonly known: Pick<Backups, 'list' | 'adopt'>;
}

/** The agent's token is our business: that it is refused is no word about the client's. */
const NOT_FOR_CLIENTS = [401, 403];

/** What the agent has, and what we know of it. What it has without our knowledge is taken over. */
export function createBackupListing({ backups, known }: ListingDependencies) {
  return async (
    entry: FleetEntry,
    signal: AbortSignal,
  ): Promise<{ listed: ListedBody; rows: readonly KnownBackup[] }> => {
    const answer = await backups.ask(addressOf(entry), { signal });
    if (!answer.ok) throw toFailure(answer);
    const listed = readListed(answer.body);
    if (!listed) {
      throw new UpstreamError('the agent answered something that is no list of backups', {
        ...{ reason: 'answer_unreadable', retryable: false },
      });
    }
    const rows = await known.list(entry.id);
    if (isSame(listed, rows)) return { listed, rows };
    await known.adopt(entry.id, listed.listed);
    return { listed, rows: await known.list(entry.id) };
  };
}

function isSame({ listed }: ListedBody, rows: readonly KnownBackup[]): boolean {
  const present = new Set(rows.filter((one) => !one.missingAt).map(({ backupId }) => backupId));
  return present.size === listed.length && listed.every(({ id }) => present.has(id));
}

const toFailure = ({ status, body }: { readonly status: number; readonly body: unknown }) =>
  new ControlPlaneError('backups_failed', `the agent answered ${status}`, {
    details: {
      details: body ?? null,
      ...(status >= 400 && !NOT_FOR_CLIENTS.includes(status) && { forwardedStatus: status }),
    },
  });
