import { useEffect, useState } from 'react';

import { call } from '../api/client.ts';
import type { Backup, Backups, ExplainedAction, ServerStatus } from '../api/schema.ts';
import { Age, Badge } from '../parts/badge.tsx';
import { Confirm } from '../parts/confirm.tsx';
import { Problem } from '../parts/problem.tsx';
import { sizeOf } from '../parts/size.ts';
import { Table } from '../parts/table.tsx';
import { useResource } from '../state/resource.ts';
import { useSubmission } from '../state/submission.ts';
import { Refusals } from './server-refusals.tsx';

/** What is done to backups, and is asked for here and nowhere else. */
export const BACKUP_ACTIONS: Readonly<Record<string, string>> = {
  backup: 'Make a backup',
  restore: 'Restore',
  verify_backup: 'Verify',
  delete_backup: 'Delete',
};

type Doubt = { readonly action: 'restore' | 'delete_backup'; readonly backup: Backup };

/** The backups of a game as its agent has them, and what can be done to them. */
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
  // biome-ignore lint/correctness/useExhaustiveDependencies: what became of an operation is the reason to read
  useEffect(reloadList, [operation?.id, operation?.state, reloadList]);
  const { isRunning, problem, run } = useSubmission();
  const mayNot = (action: string) => isRunning || !status.allowedActions.includes(action);

  function ask(work: () => Promise<unknown>): void {
    run(async () => {
      await work();
      reload();
      reloadList();
    });
  }

  return (
    <section aria-label="Backups">
      <div className="buttons">
        <button
          type="button"
          className="main"
          disabled={mayNot('backup')}
          title={actions.find(({ action }) => action === 'backup')?.refusal?.message}
          aria-describedby={status.allowedActions.includes('backup') ? undefined : 'why-backup'}
          onClick={() => ask(() => call('POST /api/game/servers/{id}/backups', { path: { id } }))}
        >
          {BACKUP_ACTIONS['backup']}
        </button>
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
          <List id={id} backups={list.value.backups} mayNot={mayNot} ask={ask} />
          <Missing missing={list.value.missing} />
        </>
      )}
    </section>
  );
}

function Work({ operation }: { readonly operation: ServerStatus['maintenance']['operation'] }) {
  if (!operation || operation.state === 'succeeded') return null;
  const { kind, step, state, backupId, acceptedAt, error } = operation;
  return (
    <p role="status">
      <Badge word={state} /> {kind.replaceAll('_', ' ')}
      {backupId !== null && ` of ${backupId}`}, step {step}, asked for <Age at={acceptedAt} />
      {error && (
        <>
          : {error.message} <code>{error.code}</code>
        </>
      )}
    </p>
  );
}

interface Asking {
  readonly id: number;
  readonly mayNot: (action: string) => boolean;
  readonly ask: (work: () => Promise<unknown>) => void;
}

function List({ backups, ...asking }: Asking & { readonly backups: readonly Backup[] }) {
  const [doubt, setDoubt] = useState<Doubt | null>(null);
  return (
    <>
      <Table
        caption="Backups"
        none="There is no backup yet."
        head={['Backup', 'Made', 'Size', 'State', 'What to do']}
        rows={backups.map((backup) => ({
          key: backup.id,
          cells: [
            <code key="id">{backup.id}</code>,
            <Made key="made" at={backup.createdAt} />,
            backup.sizeBytes === null ? 'unknown' : sizeOf(backup.sizeBytes),
            <State key="state" backup={backup} />,
            <Choices key="do" backup={backup} onDoubt={setDoubt} {...asking} />,
          ],
        }))}
      />
      {doubt && <Sure doubt={doubt} onEnd={() => setDoubt(null)} {...asking} />}
    </>
  );
}

/** The agent says it in its own words, which need not be a date. */
function Made({ at }: { readonly at: string | null }) {
  if (at === null) return 'unknown';
  return Number.isNaN(Date.parse(at)) ? at : <Age at={at} />;
}

function State({ backup: { state, verifiedAt, damagedAt, locked } }: { readonly backup: Backup }) {
  const at = state === 'damaged' ? damagedAt : verifiedAt;
  return (
    <>
      <Badge word={state} /> {at !== null && <Age at={at} />} {locked && <Badge word="locked" />}
    </>
  );
}

function Choices({
  id,
  backup,
  mayNot,
  ask,
  onDoubt,
}: Asking & { readonly backup: Backup; readonly onDoubt: (doubt: Doubt) => void }) {
  const path = { id, backupId: backup.id };
  const query = { id: backup.id };
  const verify = () => call('POST /api/game/servers/{id}/backups/verify', { path: { id }, query });
  const lock = () =>
    backup.locked
      ? call('DELETE /api/game/servers/{id}/backups/{backupId}/lock', { path })
      : call('PUT /api/game/servers/{id}/backups/{backupId}/lock', { path });
  const choices = [
    ['Restore', mayNot('restore'), () => onDoubt({ action: 'restore', backup })],
    ['Verify', mayNot('verify_backup'), () => ask(verify)],
    [backup.locked ? 'Unlock' : 'Lock', false, () => ask(lock)],
    [
      'Delete',
      backup.locked || mayNot('delete_backup'),
      () => onDoubt({ action: 'delete_backup', backup }),
    ],
  ] as const;
  return (
    <div className="buttons">
      {choices.map(([text, isDisabled, choose]) => (
        <button
          key={text}
          type="button"
          className={text === 'Delete' ? 'danger' : ''}
          disabled={isDisabled}
          title={text === 'Delete' && backup.locked ? 'It is locked' : undefined}
          aria-label={`${text} ${backup.id}`}
          onClick={choose}
        >
          {text}
        </button>
      ))}
    </div>
  );
}

function Sure({
  id,
  doubt: { action, backup },
  ask,
  onEnd,
}: Asking & { readonly doubt: Doubt; readonly onEnd: () => void }) {
  const isRestoring = action === 'restore';
  function go(): Promise<unknown> {
    return isRestoring
      ? call('POST /api/game/servers/{id}/backups/restore', {
          ...{ path: { id }, query: { id: backup.id } },
        })
      : call('DELETE /api/game/servers/{id}/backups/{backupId}', {
          ...{ path: { id, backupId: backup.id } },
        });
  }
  return (
    <Confirm
      title={isRestoring ? 'Restore this backup?' : 'Delete this backup?'}
      verb={isRestoring ? 'Restore' : 'Delete'}
      onNo={onEnd}
      onYes={() => {
        onEnd();
        ask(go);
      }}
    >
      <p>
        <code>{backup.id}</code>, made <Made at={backup.createdAt} />.
      </p>
      <p>
        {isRestoring
          ? 'The game is stopped meanwhile, and started again if it runs now. What has changed since the backup is lost.'
          : 'This is final.'}
      </p>
    </Confirm>
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
