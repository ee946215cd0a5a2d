import type { Connection } from '../api/schema.ts';
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
}: {
  readonly connection: Connection;
}) {
  return (
    <section>
      <h2>
        Can players join? <Badge word={verdict} />
      </h2>
      <ol className="path">
        {hops.map(({ hop, state, evidence, observedAt }) => (
          <li key={hop} className={`hop ${state}`}>
            <span className="hop-name">
              {HOPS[hop] ?? hop} <Badge word={state} />
            </span>
            <span>{evidence.replaceAll('_', ' ')}</span>
            <Age at={observedAt} before="seen " />
          </li>
        ))}
      </ol>
    </section>
  );
}
