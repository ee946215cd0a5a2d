import { z } from 'zod';

import { type Backup, readBackups } from '../../clients/agent/backups.ts';
import type { KnownBackup } from '../../storage/backups.ts';

const date = z.iso.datetime().nullable();

const backupView = z
  .looseObject({
    id: z.string(),
    name: z.string().nullable().describe('Of one that was ordered here: its operation'),
    sizeBytes: z.number().nullable(),
    createdAt: z.string().nullable().describe('In the words of the agent'),
    sha256: z.string().nullable().describe('null: the agent does not say'),
    state: z.enum(['unverified', 'verified', 'damaged']),
    verifiedAt: date.describe('When it last matched its checksum'),
    damagedAt: date.describe('When it did not'),
    locked: z.boolean().describe('It cannot be deleted'),
  })
  .meta({ id: 'Backup', description: 'Beside these, whatever else its agent says of it' });

export const backupsView = z
  .looseObject({
    ok: z.literal(true),
    backups: z.array(backupView),
    missing: z
      .array(z.object({ id: z.string(), missingAt: z.iso.datetime(), locked: z.boolean() }))
      .describe('What the agent lists no more, without anybody having deleted it here'),
  })
  .meta({ id: 'Backups', description: 'Beside these, whatever else the agent answers' });

export const lockView = z
  .object({ id: z.string(), locked: z.boolean() })
  .meta({ id: 'BackupLock' });

export interface ListedBody {
  readonly listed: readonly Backup[];
  /** The agent's own members of the answer, and of each backup. */
  readonly own: Readonly<Record<string, unknown>>;
  readonly owns: readonly Readonly<Record<string, unknown>>[];
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** null: it is no list of backups. */
export function readListed(body: unknown): ListedBody | null {
  const listed = readBackups(body);
  if (!listed) return null;
  const own = isObject(body) ? body : {};
  const owns = (Array.isArray(body) ? body : (own['backups'] as unknown[])).map((one) =>
    isObject(one) ? one : {},
  );
  return { listed, own, owns };
}

const toDate = (at: Date | null | undefined) => at?.toISOString() ?? null;

function stateOf(known: KnownBackup | undefined): 'unverified' | 'verified' | 'damaged' {
  if (!known) return 'unverified';
  if (known.damagedAt) return 'damaged';
  return known.verifiedAt ? 'verified' : 'unverified';
}

/** One shape, whatever the agent answers; its own members stay where they were. */
export function viewBackups(
  { listed, own, owns }: ListedBody,
  known: readonly KnownBackup[],
): z.input<typeof backupsView> {
  const rows = new Map(known.map((one) => [one.backupId, one]));
  const ids = new Set(listed.map(({ id }) => id));
  return {
    ...own,
    ok: true,
    backups: listed.map((one, index) => {
      const row = rows.get(one.id);
      return {
        ...owns[index],
        ...one,
        state: stateOf(row),
        verifiedAt: toDate(row?.verifiedAt),
        damagedAt: toDate(row?.damagedAt),
        locked: row?.lockedAt != null,
      };
    }),
    missing: known
      .filter(({ backupId }) => !ids.has(backupId))
      .map(({ backupId, missingAt, seenAt, lockedAt }) => ({
        id: backupId,
        missingAt: (missingAt ?? seenAt).toISOString(),
        locked: lockedAt !== null,
      })),
  };
}
