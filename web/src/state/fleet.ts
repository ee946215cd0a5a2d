import { createStore } from '@xstate/store-react';

import { watchServers } from '../api/events.ts';
import type { Server, ServerChange } from '../api/schema.ts';

export interface Row {
  readonly server: Server;
  /** When this page was told, by its own clock: ages go on from there. */
  readonly toldAt: number;
}

interface FleetContext {
  /** By VMID. */
  readonly rows: readonly Row[];
  readonly places: ReadonlyMap<string, number>;
  readonly stream: 'connecting' | 'live' | 'lost';
}

const EMPTY: FleetContext = { rows: [], places: new Map(), stream: 'connecting' };

const placesOf = (rows: readonly Row[]): ReadonlyMap<string, number> =>
  new Map(rows.map(({ server }, place) => [server.id, place]));

const withRows = (context: FleetContext, rows: readonly Row[]): FleetContext => {
  const sorted = rows.toSorted((a, b) => Number(a.server.id) - Number(b.server.id));
  return { ...context, rows: sorted, places: placesOf(sorted) };
};

/** Whatever is older than what is known stays outside: answers overtake each other. */
function merge(context: FleetContext, told: readonly Row[]): FleetContext {
  const rows = [...context.rows];
  const born: Row[] = [];
  for (const row of told) {
    const place = context.places.get(row.server.id);
    const known = place === undefined ? undefined : rows[place];
    if (place === undefined || !known) born.push(row);
    else if (row.server.revision >= known.server.revision) rows[place] = row;
  }
  return born.length === 0 ? { ...context, rows } : withRows(context, [...rows, ...born]);
}

/** Every server that this account may see, as the service tells of it. */
export const fleet = createStore({
  context: EMPTY,
  on: {
    emptied: () => EMPTY,
    replaced: (context, { rows }: { rows: readonly Row[] }) => withRows(context, rows),
    changed: (
      context,
      { told, gone }: { told: readonly Row[]; gone: ReadonlySet<string> },
    ): FleetContext => {
      if (gone.size === 0) return merge(context, told);
      const left = context.rows.filter(({ server }) => !gone.has(server.id));
      return merge({ ...context, rows: left, places: placesOf(left) }, told);
    },
    heard: (context) => (context.stream === 'live' ? context : { ...context, stream: 'live' }),
    lost: (context) => ({ ...context, stream: 'lost' }),
  },
});

/** So often the page shows what has changed: faster than anybody reads. */
const FLUSH_MS = 100;

/** Follows the fleet until the signal ends it. */
export function follow(signal: AbortSignal): void {
  let told = new Map<string, Row>();
  let gone = new Set<string>();
  let timer = 0;

  function flush(): void {
    timer = 0;
    const rows = [...told.values()].toSorted((a, b) => Number(a.server.id) - Number(b.server.id));
    fleet.trigger.changed({ told: rows, gone });
    [told, gone] = [new Map(), new Set()];
  }

  function take({ id, server }: ServerChange): void {
    if (server) told.set(id, { server, toldAt: Date.now() });
    else {
      told.delete(id);
      gone.add(id);
    }
    timer ||= setTimeout(flush, FLUSH_MS);
  }

  signal.addEventListener('abort', () => {
    clearTimeout(timer);
    fleet.trigger.emptied();
  });
  void watchServers(
    {
      snapshot(servers) {
        [told, gone] = [new Map(), new Set()];
        const toldAt = Date.now();
        fleet.trigger.replaced({ rows: servers.map((server) => ({ server, toldAt })) });
      },
      change: take,
      heard: () => fleet.trigger.heard(),
      lost: () => fleet.trigger.lost(),
    },
    signal,
  );
}

export const rowOf = ({ rows, places }: FleetContext, id: string): Row | undefined =>
  rows[places.get(id) ?? -1];
