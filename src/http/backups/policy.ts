import { z } from 'zod';

import { InvalidInputError } from '../../errors.ts';
import type { BackupPolicy, BackupRun, StoredPolicy } from '../../storage/backup-policies.ts';
import { nextTime, shortestPauseMs } from '../../storage/cron.ts';

const PAUSE_MIN_MINUTES = 15;
const MINUTE_MS = 60_000;

const kept = (max: number) => z.int().min(1).max(max).nullable().default(null);

export const policyBody = z.object({
  cron: z
    .string()
    .max(100)
    .nullable()
    .default(null)
    .describe('Five fields; null: none are made by themselves'),
  timezone: z.string().max(64).default('UTC').describe('By its name at the IANA'),
  misfire: z
    .enum(['skip', 'run_once'])
    .default('run_once')
    .describe('What becomes of times at which nobody was there: nothing, or one backup for all'),
  keepCount: kept(1_000).describe('How many are kept, beside those that are locked; null: all'),
  keepDays: kept(3_650).describe('How long they are kept; null: for ever'),
});

const date = z.iso.datetime();

export const policyView = z
  .object({
    ok: z.literal(true),
    schedule: z.object({
      cron: z.string().nullable(),
      timezone: z.string(),
      misfire: z.enum(['skip', 'run_once']),
      keepCount: z.int().nullable(),
      keepDays: z.int().nullable(),
      nextDueAt: date.nullable(),
    }),
    runs: z
      .array(
        z.object({
          dueAt: date,
          outcome: z.enum(['accepted', 'skipped', 'missed']),
          reason: z
            .string()
            .nullable()
            .describe('What the machine refused it with, or `misfire`: it was late'),
          operationId: z.string().nullable(),
          at: date,
        }),
      )
      .describe('What has become of the latest times, the latest first'),
  })
  .meta({ id: 'BackupSchedule' });

const NONE: StoredPolicy = { ...policyBody.parse({}), nextDueAt: null };

const wrong = (field: string, message: string): InvalidInputError =>
  new InvalidInputError(`${field}: ${message}`, { details: { errors: [{ field, message }] } });

/** The first time of a policy after now. @throws InvalidInputError that names the field */
export function firstTime({ cron, timezone }: BackupPolicy, now: number): Date | null {
  try {
    new Intl.DateTimeFormat('en', { timeZone: timezone });
  } catch {
    throw wrong('timezone', 'expected the name of a time zone, as Europe/Berlin');
  }
  if (cron === null) return null;
  let pauseMs: number;
  try {
    pauseMs = shortestPauseMs({ cron, timezone }, now);
  } catch (error) {
    throw wrong('cron', error instanceof Error ? error.message : 'expected a cron expression');
  }
  if (pauseMs < PAUSE_MIN_MINUTES * MINUTE_MS) {
    throw wrong('cron', `at most once in ${PAUSE_MIN_MINUTES} minutes`);
  }
  return nextTime({ cron, timezone }, now);
}

export function viewPolicy(
  stored: StoredPolicy | null,
  runs: readonly BackupRun[],
): z.input<typeof policyView> {
  const { nextDueAt, ...policy } = stored ?? NONE;
  return {
    ok: true,
    schedule: { ...policy, nextDueAt: nextDueAt?.toISOString() ?? null },
    runs: runs.map(({ dueAt, at, ...run }) => ({
      ...run,
      dueAt: dueAt.toISOString(),
      at: at.toISOString(),
    })),
  };
}
