import { useState } from 'react';

import { ApiProblem, call } from '../api/client.ts';
import type { Backup, ExplainedAction, Operated, ServerStatus } from '../api/schema.ts';
import { Age, Badge } from '../parts/badge.tsx';
import { Confirm } from '../parts/confirm.tsx';
import { Problem } from '../parts/problem.tsx';
import { sizeOf } from '../parts/size.ts';
import { Table } from '../parts/table.tsx';
import { useResource } from '../state/resource.ts';
import { useSubmission } from '../state/submission.ts';

/** Answered when it has ended; what takes longer goes on, and the state of the server says so. */
const WAIT = { headers: { prefer: 'wait=60' } };

interface Doubt {
  readonly title: string;
  readonly verb: string;
  readonly text: string;
  readonly work: () => Promise<Operated>;
}

/** @throws ApiProblem in the words of the operation, if it has failed */
async function ended(work: () => Promise<Operated>): Promise<void> {
  const { operation } = await work();
  if (operation.state !== 'failed') return;
  const { code = 'failed', message = 'it does not say why' } = operation.error ?? {};
  throw new ApiProblem({
    status: 0,
    error: code,
    title: `${operation.kind} failed`,
    detail: message,
  });
}

/** What the agent has made of the game's files, and what can be done with it. */
export function BackupsTab({
  status,
  actions,
  reload,
}: {
  readonly status: ServerStatus;
  readonly actions: readonly ExplainedAction[];
  readonly reload: () => void;
}) {
  const id = Number(status.id);
  const {
    value,
    problem,
    reload: reread,
  } = useResource(`backups ${id}`, (signal) =>
    call('GET /api/game/servers/{id}/backups', { path: { id }, signal }),
  );
  const { isRunning, problem: refusal, run } = useSubmission();
  const [doubt, setDoubt] = useState<Doubt | null>(null);
  const may = (action: string) => !isRunning && status.allowedActions.includes(action);
  const work = (act: () => Promise<unknown>) =>
    run(async () => {
      try {
        await act();
      } finally {
        reread();
        reload();
      }
    });
  const why = actions.find(({ action }) => action === 'backup')?.refusal;

  return (
    <section aria-label="Backups">
      <div className="buttons">
        <button
          type="button"
          disabled={!may('backup')}
          title={why?.message}
          onClick={() =>
            work(() =>
              ended(() => call('POST /api/game/servers/{id}/backups', { path: { id }, ...WAIT })),
            )
          }
        >
          Make a backup
        </button>
      </div>
      {why && <p className="reasons">Make a backup: {why.message}</p>}
      {isRunning && <p role="status">It is being worked on…</p>}
      <Problem problem={refusal ?? problem} />
      {value && (
        <Table
          caption="Backups"
          head={['Made', 'Size', 'State', 'Do']}
          rows={value.backups.map((one) => ({
            key: one.id,
            cells: [
              <Age key="at" at={one.createdAt} />,
              one.sizeBytes === null ? 'unknown' : sizeOf(one.sizeBytes),
              <Badge key="state" word={one.state} />,
              <BackupButtons key="do" id={id} one={one} may={may} work={work} doubt={setDoubt} />,
            ],
          }))}
        />
      )}
      {value && value.missing.length > 0 && (
        <p role="alert">
          The agent lists {value.missing.length} no more that nobody has deleted here:{' '}
          {value.missing.map((one) => one.id).join(', ')}
        </p>
      )}
      {doubt !== null && (
        <Confirm
          title={doubt.title}
          verb={doubt.verb}
          onNo={() => setDoubt(null)}
          onYes={() => {
            setDoubt(null);
            work(() => ended(doubt.work));
          }}
        >
          <p>{doubt.text}</p>
        </Confirm>
      )}
    </section>
  );
}

function BackupButtons({
  id,
  one: { id: backupId, locked },
  may,
  work,
  doubt,
}: {
  readonly id: number;
  readonly one: Backup;
  readonly may: (action: string) => boolean;
  readonly work: (act: () => Promise<unknown>) => void;
  readonly doubt: (doubt: Doubt) => void;
}) {
  const which = { path: { id }, query: { id: backupId }, ...WAIT };
  const lock = { path: { id, backupId } };
  const restore: Doubt = {
    ...{ title: 'Restore this backup?', verb: 'Restore' },
    text: 'The game is stopped meanwhile, and its files become what they were then.',
    work: () => call('POST /api/game/servers/{id}/backups/restore', which),
  };
  const remove: Doubt = {
    ...{ title: 'Delete this backup?', verb: 'Delete' },
    text: 'This is final.',
    work: () => call('DELETE /api/game/servers/{id}/backups/{backupId}', { ...lock, ...WAIT }),
  };
  return (
    <span className="buttons">
      <button type="button" disabled={!may('restore')} onClick={() => doubt(restore)}>
        Restore
      </button>
      <button
        type="button"
        disabled={!may('verify_backup')}
        onClick={() =>
          work(() => ended(() => call('POST /api/game/servers/{id}/backups/verify', which)))
        }
      >
        Verify
      </button>
      <button
        type="button"
        onClick={() =>
          work(() =>
            locked
              ? call('DELETE /api/game/servers/{id}/backups/{backupId}/lock', lock)
              : call('PUT /api/game/servers/{id}/backups/{backupId}/lock', lock),
          )
        }
      >
        {locked ? 'Unlock' : 'Lock'}
      </button>
      <button
        type="button"
        className="danger"
        disabled={locked || !may('delete_backup')}
        title={locked ? 'It is locked' : undefined}
        onClick={() => doubt(remove)}
      >
        Delete
      </button>
    </span>
  );
}
