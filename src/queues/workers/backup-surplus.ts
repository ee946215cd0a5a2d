import type { BackupPolicy } from '../../storage/backup-policies.ts';
import type { KnownBackup } from '../../storage/backups.ts';

const DAY_MS = 24 * 3_600_000;

const madeAt = ({ madeAt: at, seenAt }: KnownBackup): number => (at ?? seenAt).getTime();

/**
 * The backups that need not be kept any more, the oldest first. Never one that is locked, and never
 * the newest that has been verified, or where none has been, the newest: what is good stays until
 * there is a better one. Those that are locked do not count, and those that are damaged take nobody's
 * place: they are the first to go.
 */
export function surplusOf(
  known: readonly KnownBackup[],
  { keepCount, keepDays }: Pick<BackupPolicy, 'keepCount' | 'keepDays'>,
  now: number,
): readonly KnownBackup[] {
  const present = known
    .filter(({ missingAt }) => missingAt === null)
    .toSorted((a, b) => madeAt(b) - madeAt(a));
  const isSound = (one: KnownBackup) => one.verifiedAt !== null && one.damagedAt === null;
  const best = present.find(isSound) ?? present[0];
  const free = present.filter(({ lockedAt }) => lockedAt === null);
  const whole = free.filter(({ damagedAt }) => damagedAt === null);
  const isTooMany = (one: KnownBackup) => {
    if (keepCount === null) return false;
    return one.damagedAt === null ? whole.indexOf(one) >= keepCount : whole.length >= keepCount;
  };
  const isTooOld = (one: KnownBackup) => keepDays !== null && madeAt(one) < now - keepDays * DAY_MS;
  return free.filter((one) => one !== best && (isTooMany(one) || isTooOld(one))).toReversed();
}
