import { useState } from 'react';

import { call } from '../api/client.ts';
import type { ExplainedAction, ServerStatus } from '../api/schema.ts';
import { Age, Badge, Due } from '../parts/badge.tsx';
import { Confirm } from '../parts/confirm.tsx';
import { Problem } from '../parts/problem.tsx';
import { useSubmission } from '../state/submission.ts';
import { BACKUP_ACTIONS } from './server-backup-list.tsx';
import { Refusals } from './server-refusals.tsx';

type Ask = (vmid: number) => Promise<unknown>;

/** How each wish is asked for. One that the service knows and this page does not has no button. */
const ASKS: Readonly<Record<string, readonly [text: string, ask: Ask]>> = {
  start: ['Start', (id) => call('POST /api/servers/{id}/host/start', { path: { id } })],
  stop: ['Stop', (id) => call('POST /api/servers/{id}/host/stop', { path: { id } })],
  restart: ['Restart', (id) => call('POST /api/servers/{id}/host/restart', { path: { id } })],
  retry: ['Retry', (id) => call('POST /api/servers/{id}/retry', { path: { id } })],
  delete: ['Delete', (vmid) => call('DELETE /api/containers/{vmid}', { path: { vmid } })],
  force_delete: [
    'Delete by force',
    (vmid) => call('DELETE /api/containers/{vmid}', { path: { vmid }, query: { force: 'true' } }),
  ],
};

const PUBLISHING: Readonly<Record<string, readonly [text: string, ask: Ask]>> = {
  publish: ['Publish', (vmid) => call('POST /api/edge/{vmid}/publish', { path: { vmid } })],
  unpublish: ['Unpublish', (vmid) => call('POST /api/edge/{vmid}/unpublish', { path: { vmid } })],
};

const textOf = (action: string): string => ASKS[action]?.[0] ?? action;

/** Exactly what the machine allows, and its reasons for the rest. */
export function Actions({
  status,
  actions,
  reload,
  isAdmin,
}: {
  readonly status: ServerStatus;
  readonly actions: readonly ExplainedAction[];
  readonly reload: () => void;
  readonly isAdmin: boolean;
}) {
  const { isRunning, problem, run } = useSubmission();
  const [doubted, setDoubted] = useState<string | null>(null);
  const vmid = Number(status.id);

  function askFor(name: string): void {
    const [, ask] = ASKS[name] ?? PUBLISHING[name] ?? [];
    run(async () => {
      await ask?.(vmid);
      reload();
    });
  }

  const shown = actions.filter(({ action }) => !(action in BACKUP_ACTIONS));
  return (
    <section aria-label="Actions">
      <div className="buttons">
        {shown.map(({ action, refusal }) => (
          <button
            key={action}
            type="button"
            className={action.includes('delete') ? 'danger' : ''}
            disabled={isRunning || !status.allowedActions.includes(action)}
            title={refusal?.message}
            aria-describedby={refusal ? `why-${action}` : undefined}
            onClick={() => (action.includes('delete') ? setDoubted(action) : askFor(action))}
          >
            {textOf(action)}
          </button>
        ))}
        {isAdmin &&
          Object.entries(PUBLISHING).map(([name, [text]]) => (
            <button key={name} type="button" disabled={isRunning} onClick={() => askFor(name)}>
              {text}
            </button>
          ))}
      </div>
      <Problem problem={problem} />
      <PowerOperation operation={status.hostOperation} />
      <Refusals status={status} actions={shown} textOf={textOf} />
      {doubted !== null && (
        <Confirm
          title={`Delete ${status.name}?`}
          verb={textOf(doubted)}
          onNo={() => setDoubted(null)}
          onYes={() => {
            setDoubted(null);
            askFor(doubted);
          }}
        >
          <p>The container and everything in it are removed. This is final.</p>
        </Confirm>
      )}
    </section>
  );
}

function PowerOperation({ operation }: { readonly operation: ServerStatus['hostOperation'] }) {
  if (!operation || operation.state === 'succeeded') return null;
  const { kind, step, state, acceptedAt, deadline, error } = operation;
  return (
    <p role="status">
      <Badge word={state} /> {kind}, step {step}, asked for <Age at={acceptedAt} />
      {state === 'running' && (
        <>
          , ends at the latest <Due at={deadline} />
        </>
      )}
      {operation.finishedAt !== null && <Age at={operation.finishedAt} before=", ended " />}
      {error && <>: {error.message}</>}
    </p>
  );
}
