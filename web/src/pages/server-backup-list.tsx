import { useState } from 'react';

import { call } from '../api/client.ts';
import type { Backup } from '../api/schema.ts';
import { Age, Badge } from '../parts/badge.tsx';
import { Confirm } from '../parts/confirm.tsx';
import { sizeOf } from '../parts/size.ts';
import { Table } from '../parts/table.tsx';

/** What is done to backups, and is asked for here and nowhere else. */
export const BACKUP_ACTIONS: Readonly<Record<string, string>> = {
  backup: 'Make a backup',
  restore: 'Restore',
  verify_backup: 'Verify',
  delete_backup: 'Delete',
};

interface Asking {
  readonly id: number;
  readonly mayNot: (action: string) => boolean;
  readonly ask: (work: () => Promise<unknown>) => void;
}

type Doubt = { readonly action: 'restore' | 'delete_backup'; readonly backup: Backup };

/** What the agent has, and what can be done to each of them. */
export function BackupList({
  backups,
  ...asking
}: Asking & { readonly backups: readonly Backup[] }) {
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
    const [query, path] = [{ id: backup.id }, { id, backupId: backup.id }];
    return isRestoring
      ? call('POST /api/game/servers/{id}/backups/restore', { path: { id }, query })
      : call('DELETE /api/game/servers/{id}/backups/{backupId}', { path });
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
