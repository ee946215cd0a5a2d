import { useEffect } from 'react';

import { call } from '../api/client.ts';
import type { BackupSchedule } from '../api/schema.ts';
import { Age, Badge, Due } from '../parts/badge.tsx';
import { Field, Form } from '../parts/field.tsx';
import { Problem } from '../parts/problem.tsx';
import { Table } from '../parts/table.tsx';
import { useRepeated, useResource } from '../state/resource.ts';
import { useSubmission } from '../state/submission.ts';

/** A time that was skipped moves nothing that this page hears of. */
const LOOK_MS = 15_000;

/** In the words of the form. */
const MISFIRES = {
  run_once: 'one backup for all of them',
  skip: 'nothing',
} as const;

type Misfire = keyof typeof MISFIRES;

/** When backups are made by themselves, how many are kept, and what has become of that. */
export function BackupScheduleSection({
  id,
  revision,
}: {
  readonly id: number;
  /** Another one whenever work on backups has begun or ended. */
  readonly revision: string;
}) {
  const { value, problem, reload } = useResource(`backup schedule ${id}`, (signal) =>
    call('GET /api/game/servers/{id}/backups/schedule', { path: { id }, signal }),
  );
  // biome-ignore lint/correctness/useExhaustiveDependencies: a new operation is the reason to read
  useEffect(reload, [revision, reload]);
  useRepeated(reload, LOOK_MS);
  return (
    <section aria-label="Schedule">
      <h2>Schedule</h2>
      <Problem problem={problem} />
      {value && (
        <>
          <Summary {...value} />
          <details>
            <summary>Change the schedule</summary>
            <ScheduleForm
              key={JSON.stringify({ ...value.schedule, nextDueAt: null })}
              id={id}
              schedule={value.schedule}
              reload={reload}
            />
          </details>
          <Runs runs={value.runs} />
        </>
      )}
    </section>
  );
}

const keptText = (count: number | null, days: number | null): string => {
  if (count === null && days === null) return 'All are kept.';
  const many = count === null ? [] : [`the latest ${count}`];
  const long = days === null ? [] : [`those of the last ${days} days`];
  return `Kept are ${[...many, ...long].join(', and of these ')}, beside those that are locked.`;
};

function Summary({ schedule, runs }: Pick<BackupSchedule, 'schedule' | 'runs'>) {
  const { cron, timezone, nextDueAt, keepCount, keepDays } = schedule;
  const latest = runs[0];
  return (
    <>
      <p role="status">
        {cron === null ? (
          'None are made by themselves.'
        ) : (
          <>
            <code>{cron}</code> in {timezone}
            {nextDueAt !== null && (
              <>
                , the next one <Due at={nextDueAt} />
              </>
            )}
            .
          </>
        )}
        {latest && (
          <>
            {' '}
            The latest was due <Age at={latest.dueAt} />: <Badge word={latest.outcome} />
            {latest.reason !== null && `, ${latest.reason.replaceAll('_', ' ')}`}.
          </>
        )}
      </p>
      <p className="quiet">{keptText(keepCount, keepDays)}</p>
    </>
  );
}

/** An empty number is none. Whether it is a good one says the service. */
const numberOf = (text = ''): number | null => (text.trim() === '' ? null : Number(text));

function ScheduleForm({
  id,
  schedule: { cron, timezone, misfire, keepCount, keepDays },
  reload,
}: {
  readonly id: number;
  readonly schedule: BackupSchedule['schedule'];
  readonly reload: () => void;
}) {
  const { isRunning, problem, run } = useSubmission();

  async function save(answers: Readonly<Record<string, string>>): Promise<void> {
    const body = {
      cron: answers['cron']?.trim() || null,
      timezone: answers['timezone']?.trim() || 'UTC',
      misfire: answers['misfire'] as Misfire,
      keepCount: numberOf(answers['keepCount']),
      keepDays: numberOf(answers['keepDays']),
    };
    await call('PUT /api/game/servers/{id}/backups/schedule', { path: { id }, body });
    reload();
  }

  return (
    <Form onSend={(answers) => run(() => save(answers))} aria-label="Schedule of backups">
      <div className="pair">
        <Field
          label="When"
          name="cron"
          defaultValue={cron ?? ''}
          placeholder="0 4 * * *"
          hint="Minute, hour, day, month, day of the week; at most once in 15 minutes. Empty: never"
        />
        <Field label="Time zone" name="timezone" defaultValue={timezone} hint="As Europe/Berlin" />
      </div>
      <div className="pair">
        <Field
          label="Keep so many"
          name="keepCount"
          type="number"
          min={1}
          defaultValue={keepCount ?? ''}
          hint="Empty: all"
        />
        <Field
          label="Keep so many days"
          name="keepDays"
          type="number"
          min={1}
          defaultValue={keepDays ?? ''}
          hint="Empty: for ever"
        />
      </div>
      <MissedChoice misfire={misfire} />
      <Problem problem={problem} />
      <button type="submit" disabled={isRunning}>
        Save the schedule
      </button>
    </Form>
  );
}

function MissedChoice({ misfire }: { readonly misfire: Misfire }) {
  return (
    <fieldset>
      <legend>Of times that were missed, make</legend>
      {Object.entries(MISFIRES).map(([name, text]) => (
        <label key={name} className="option">
          <input type="radio" name="misfire" value={name} defaultChecked={name === misfire} />
          {text}
        </label>
      ))}
    </fieldset>
  );
}

function Runs({ runs }: Pick<BackupSchedule, 'runs'>) {
  if (runs.length === 0) return null;
  return (
    <Table
      caption="What has become of the latest times"
      head={['Was due', 'End', 'Why', 'Settled']}
      rows={runs.map(({ dueAt, outcome, reason, at }) => ({
        key: dueAt,
        cells: [
          <Age key="due" at={dueAt} />,
          <Badge key="end" word={outcome} />,
          reason?.replaceAll('_', ' ') ?? '–',
          <Age key="at" at={at} />,
        ],
      }))}
    />
  );
}
