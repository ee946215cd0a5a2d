import { useSelector } from '@xstate/store-react';
import { useDeferredValue, useEffect, useMemo, useState } from 'react';

import { call } from '../api/client.ts';
import { Badge } from '../parts/badge.tsx';
import { ServerList } from '../parts/server-list.tsx';
import { hrefOf } from '../router.ts';
import { fleet, type Row } from '../state/fleet.ts';

/** What is in sight is looked at again so often: its ages do not come by the stream. */
const LOOK_MS = 10_000;

const textOf = ({ server }: Row): string =>
  [server.name, server.id, server.status, server.ip, server.runtime, server.flavor, server.version]
    .join(' ')
    .toLowerCase();

/** Every word must be somewhere in the row. */
function matching(rows: readonly Row[], filter: string): readonly Row[] {
  const words = filter.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) return rows;
  return rows.filter((row) => {
    const text = textOf(row);
    return words.every((word) => text.includes(word));
  });
}

export function FleetPage() {
  const { rows, stream } = useSelector(fleet, ({ context }) => context);
  const [filter, setFilter] = useState('');
  const wanted = useDeferredValue(filter);
  const found = useMemo(() => matching(rows, wanted), [rows, wanted]);
  const [seen, setSeen] = useState<readonly [string, string] | null>(null);
  useSecondLook(seen);
  return (
    <div className="fleet">
      <div className="title">
        <h1>Servers</h1>
        <Badge word={stream} />
      </div>
      <div className="search">
        <input
          type="search"
          aria-label="Filter the servers"
          placeholder="Name, number, state, address, game …"
          value={filter}
          onChange={(event) => setFilter(event.target.value)}
        />
        <span className="quiet" role="status">
          {found.length === rows.length ? rows.length : `${found.length} of ${rows.length}`}
        </span>
      </div>
      {rows.length === 0 && stream === 'live' && (
        <p>
          There is no server yet. <a href={hrefOf('new')}>Create one</a>.
        </p>
      )}
      <ServerList rows={found} onSeen={setSeen} />
    </div>
  );
}

/** Reads again whatever stands between these two numbers, as far as it is not too much. */
function useSecondLook(seen: readonly [string, string] | null): void {
  const [first, last] = seen ?? [null, null];
  useEffect(() => {
    if (first === null || last === null) return;
    const ending = new AbortController();
    async function look(): Promise<void> {
      if (document.hidden) return;
      const query = { cursor: Number(first) - 1, limit: Number(last) - Number(first) + 1 };
      if (query.limit > 200) return;
      const { signal } = ending;
      const { servers } = await call('GET /api/servers', { query, signal });
      const toldAt = Date.now();
      const told = servers.map((server) => ({ server, toldAt }));
      fleet.trigger.changed({ told, gone: new Set() });
    }
    // Whoever does not answer leaves the ages to grow, which says it.
    const timer = setInterval(() => void look().catch(() => {}), LOOK_MS);
    return () => {
      clearInterval(timer);
      ending.abort();
    };
  }, [first, last]);
}
