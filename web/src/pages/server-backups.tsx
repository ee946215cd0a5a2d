import { useEffect } from 'react';

import { call } from '../api/client.ts';
import type { Backups, ExplainedAction, ServerStatus } from '../api/schema.ts';
import { Age, Badge } from '../parts/badge.tsx';
import { Problem } from '../parts/problem.tsx';
import { Table } from '../parts/table.tsx';
import { useResource } from '../state/resource.ts';
import { useSubmission } from '../state/submission.ts';
import { BACKUP_ACTIONS, BackupList } from './server-backup-list.tsx';
import { BackupScheduleSection } from './server-backup-schedule.tsx';
import { Refusals } from './server-refusals.tsx';

/**
 * The backups of a game as its agent has them, what can be done to them, and when they are made by
 * themselves. It follows `maintenance` of the status, so it shows what others have begun as well.
 */
export function BackupsTab({
  status,
  actions,
  reload,
}: {
  readonly status: ServerStatus;
  readonly actions: readonly ExplainedAction[];
  /** Reads the status again. */
  readonly reload: () => void;
}) {
  const id = Number(status.id);
  const { operation } = status.maintenance;
  const list = useResource(`backups ${id}`, (signal) =>
    call('GET /api/game/servers/{id}/backups', { path: { id }, signal }),
  );
  const { reload: reloadList } = list;
  // Whoever is off has no agent to ask, so the list is another one as soon as the status is.
  // biome-ignore lint/correctness/useExhaustiveDependencies: what became of these is the reason to read
  useEffect(reloadList, [operation?.id, operation?.state, status.status, reloadList]);
  const { isRunning, problem, run } = useSubmission();
  const mayNot = (action: string) => isRunning || !status.allowedActions.includes(action);
  const refusal = actions.find(({ action }) => action === 'backup')?.refusal;

  function ask(work: () => Promise<unknown>): void {
    run(async () => {
      try {
        await work();
      } finally {
        reload();
        reloadList();
      }
    });
  }

  return (
    <>
      <section aria-label="Backups">
        <div className="buttons">
          <button
            type="button"
            className="main"
            disabled={mayNot('backup')}
            title={refusal?.message}
            aria-describedby={refusal ? 'why-backup' : undefined}
            onClick={() => ask(() => call('POST /api/game/servers/{id}/backups', { path: { id } }))}
          >
            {BACKUP_ACTIONS['backup']}
          </button>
          {list.readAt !== null && <Age at={list.readAt} before="listed " />}
        </div>
        <Problem problem={problem} />
        <Work operation={operation} />
        <Refusals
          status={status}
          actions={actions.filter(({ action }) => action in BACKUP_ACTIONS)}
          textOf={(action) => BACKUP_ACTIONS[action] ?? action}
        />
        <Problem problem={list.problem} />
        {list.value && (
          <>
            <BackupList id={id} backups={list.value.backups} mayNot={mayNot} ask={ask} />
            <Missing missing={list.value.missing} />
          </>
        )}
      </section>
      <BackupScheduleSection id={id} revision={`${operation?.id} ${operation?.state}`} />
    </>
  );
}

function Work({ operation }: { readonly operation: ServerStatus['maintenance']['operation'] }) {
  if (!operation || operation.state === 'succeeded') return null;
  const { kind, step, state, backupId, acceptedAt, error } = operation;
  return (
    <p role="status">
      <Badge word={state} /> {kind.replaceAll('_', ' ')}
      {backupId !== null && ` of ${backupId}`}, step {step}, asked for <Age at={acceptedAt} />
      {operation.finishedAt !== null && <Age at={operation.finishedAt} before=", ended " />}
      {error && (
        <>
          : {error.message} <code>{error.code}</code>
        </>
      )}
    </p>
  );
}

function Missing({ missing }: Pick<Backups, 'missing'>) {
  if (missing.length === 0) return null;
  return (
    <>
      <h2>Missing</h2>
      <p>The agent had these and lists them no more, though nobody deleted them here.</p>
      <Table
        caption="Missing backups"
        head={['Backup', 'State', 'Since']}
        rows={missing.map(({ id, missingAt, locked }) => ({
          key: id,
          cells: [
            <code key="id">{id}</code>,
            <span key="state">
              <Badge word="missing" /> {locked && <Badge word="locked" />}
            </span>,
            <Age key="at" at={missingAt} after="" />,
          ],
        }))}
      />
    </>
  );
}
