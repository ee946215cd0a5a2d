import type { ExplainedRegion } from '../api/schema.ts';
import { Age, Due } from '../parts/badge.tsx';
import { spoken } from '../state/clock.ts';

/** `asOf`: the moment that is looked at; null: the present. */
export function Why({
  regions,
  asOf,
}: {
  readonly regions: readonly ExplainedRegion[];
  readonly asOf: string | null;
}) {
  return (
    <dl className="why">
      {regions.map((one) => (
        <Region key={one.region} region={one} asOf={asOf} />
      ))}
    </dl>
  );
}

function Region({
  region: { region, state, description, isTransient, since, cause, waitsFor, deadline, next },
  asOf,
}: {
  readonly region: ExplainedRegion;
  readonly asOf: string | null;
}) {
  const { calls, events, conditions } = waitsFor;
  const waits = [...calls.map(({ lane, kind }) => `${kind} of ${lane}`), ...events, ...conditions];
  return (
    <div className={isTransient ? 'transient' : ''}>
      <dt>
        <strong>{region}</strong> <code>{state}</code> <Since since={since} asOf={asOf} />
      </dt>
      <dd>
        {description}
        {deadline && (
          <p>
            At the latest <DueAt at={deadline.dueAt} asOf={asOf} /> <code>{deadline.name}</code>
          </p>
        )}
        {waits.length > 0 && (
          <p>
            Waits for{' '}
            {waits.map((name, index) => (
              <span key={name}>
                {index > 0 && ', '}
                <code>{name}</code>
              </span>
            ))}
          </p>
        )}
        {cause && (
          <p className="quiet">
            By step {cause.revision}, <code>{cause.type}</code>
          </p>
        )}
        {next.length > 0 && (
          <details>
            <summary>What can happen</summary>
            <ul>
              {next.map(({ kind, on, guard, state: to }, index) => (
                // biome-ignore lint/suspicious/noArrayIndexKey: two may say the same
                <li key={index}>
                  <code>{on ?? guard}</code> → <code>{to}</code>{' '}
                  <span className="quiet">
                    {kind}
                    {on !== null && guard !== null && `, if ${guard}`}
                  </span>
                </li>
              ))}
            </ul>
          </details>
        )}
      </dd>
    </div>
  );
}

function Since({ since, asOf }: { readonly since: string; readonly asOf: string | null }) {
  if (asOf === null) return <Age at={since} before="for " after="" />;
  return (
    <time className="age" dateTime={since}>
      for {spoken(Date.parse(asOf) - Date.parse(since))}
    </time>
  );
}

/** A deadline, as seen from that moment. */
export function DueAt({ at, asOf }: { readonly at: string; readonly asOf: string | null }) {
  if (asOf === null) return <Due at={at} />;
  return (
    <time className="age" dateTime={at} title={new Date(at).toLocaleString()}>
      {spoken(Date.parse(at) - Date.parse(asOf))} later
    </time>
  );
}
