import type { Condition, Connection } from '../api/schema.ts';
import { Age, Badge } from '../parts/badge.tsx';

const HOPS: Readonly<Record<string, string>> = {
  edge: 'Name and address',
  velocity: 'Proxy',
  ping: 'Ping by the proxy',
  agent: 'Game',
};

/** The way that a player takes, hop by hop, with what shows the state of each. */
export function ConnectionPath({
  connection: { verdict, hops },
  conditions,
}: {
  readonly connection: Connection;
  readonly conditions: readonly Condition[];
}) {
  // Of the agent a hop says since when it is so; the condition says when that was last seen.
  const heardAt = conditions.find(({ type }) => type === 'AgentReady')?.observedAt ?? null;
  const dated = hops.map((one) => (one.hop === 'agent' ? { ...one, observedAt: heardAt } : one));
  const seen = dated.flatMap(({ hop, observedAt }) =>
    hop === 'edge' || observedAt === null ? [] : [observedAt],
  );
  return (
    <section>
      <h2>
        Can players join? <Badge word={verdict} />{' '}
        <Age at={seen.toSorted()[0] ?? null} before="oldest sign " />
      </h2>
      <ol className="path">
        {dated.map(({ hop, state, evidence, observedAt }) => (
          <li key={hop} className={`hop ${state}`}>
            <span className="hop-name">
              {HOPS[hop] ?? hop} <Badge word={state} />
            </span>
            <span>{evidence.replaceAll('_', ' ')}</span>
            <HopAge hop={hop} at={observedAt} />
          </li>
        ))}
      </ol>
    </section>
  );
}

/** Of the name and the address it is known since when they are so: nobody looks at them again. */
function HopAge({ hop, at }: { readonly hop: string; readonly at: string | null }) {
  return hop === 'edge' ? (
    <Age at={at} before="so for " after="" />
  ) : (
    <Age at={at} before="seen " />
  );
}
