import { useState } from 'react';

import type { JournalEntry, ServerStatus } from '../api/schema.ts';
import { Age, Due } from '../parts/badge.tsx';
import { spoken } from '../state/clock.ts';
import { provisioningSteps, reachingSteps, type Step } from '../state/progress.ts';

/** How the server was made, or is being made: step by step, with the time that each one took. */
export function Progress({
  status,
  entries,
}: {
  readonly status: ServerStatus;
  readonly entries: readonly JournalEntry[];
}) {
  const { kind, state, error } = status.operation;
  const steps = [...provisioningSteps(status, entries), ...reachingSteps(status)];
  const isOver = steps.every((step) => step.state === 'done');
  // Whoever has watched it come sees it through: it does not close before their eyes.
  const [isOpen] = useState(!isOver);
  if (kind === 'delete') return <Deletion status={status} />;
  return (
    <section>
      <details open={isOpen}>
        <summary>
          <h2>{isOver ? 'How it was made' : 'How far it has come'}</h2>
        </summary>
        {state === 'failed' && error && (
          <p className="problem" role="alert">
            <strong>It could not be made ready</strong>: {error.message} <code>{error.code}</code>
          </p>
        )}
        <ol className="steps">
          {steps.map((step) => (
            <StepLine key={step.name} step={step} />
          ))}
        </ol>
      </details>
    </section>
  );
}

const WORDS: Readonly<Record<Step['state'], string>> = {
  pending: 'not yet',
  current: 'now',
  done: 'done',
  failed: 'failed',
};

function StepLine({ step: { name, text, state, beganAt, endedAt, detail } }: { step: Step }) {
  const tookMs = beganAt && endedAt ? Date.parse(endedAt) - Date.parse(beganAt) : null;
  return (
    <li className={`step ${state}`} data-step={name} data-state={state}>
      <span className="light" aria-hidden="true" />
      <span>
        {text}
        {detail && <span className="quiet"> – {detail.replaceAll('_', ' ')}</span>}
      </span>
      <span className="age">
        {WORDS[state]}
        {state === 'current' && beganAt && <Age at={beganAt} before=", for " after="" />}
        {tookMs !== null &&
          `, took ${tookMs < 10_000 ? `${(tookMs / 1_000).toFixed(1)} s` : spoken(tookMs)}`}
        {state === 'done' && tookMs === null && endedAt && <Age at={endedAt} before=", " />}
      </span>
    </li>
  );
}

function Deletion({ status: { operation, hostOperation } }: { readonly status: ServerStatus }) {
  return (
    <section role="status">
      <h2>It is being deleted</h2>
      <p>
        Asked for <Age at={operation.acceptedAt} />. First it is taken off outside, then it is shut
        down and removed.
        {hostOperation?.state === 'running' && (
          <>
            {' '}
            Shutting down ends at the latest <Due at={hostOperation.deadline} />.
          </>
        )}
      </p>
    </section>
  );
}
