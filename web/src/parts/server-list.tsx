import { memo, useEffect, useLayoutEffect, useRef, useState } from 'react';

import { hrefOf } from '../router.ts';
import { seenAt } from '../state/clock.ts';
import type { Row } from '../state/fleet.ts';
import { Age, Badge } from './badge.tsx';

/** Of style.css. */
const ROW_PX = 56;
/** Rows beyond the edge, so that neither the wheel nor the Tab key ever meets nothing. */
const MARGIN = 6;

interface Sight {
  readonly first: number;
  readonly count: number;
}

/** Only the rows in sight are in the document, however many there are. */
export function ServerList({
  rows,
  onSeen,
}: {
  readonly rows: readonly Row[];
  /** The ids of the first and the last one in sight. */
  readonly onSeen: (seen: readonly [string, string] | null) => void;
}) {
  const frame = useRef<HTMLDivElement>(null);
  const { first, count } = useSight(frame);
  const from = Math.max(0, Math.min(first, rows.length - count) - MARGIN);
  const shown = rows.slice(from, first + count + MARGIN);
  const [top, bottom] = [shown[0]?.server.id, shown.at(-1)?.server.id];
  useEffect(() => {
    onSeen(top !== undefined && bottom !== undefined ? [top, bottom] : null);
  }, [top, bottom, onSeen]);
  return (
    <div className="rows" ref={frame}>
      <ul aria-label="Servers" style={{ height: rows.length * ROW_PX }}>
        {shown.map((row, offset) => (
          <ServerRow key={row.server.id} row={row} place={from + offset} of={rows.length} />
        ))}
      </ul>
    </div>
  );
}

function useSight(frame: { readonly current: HTMLDivElement | null }): Sight {
  const [sight, setSight] = useState<Sight>({ first: 0, count: 20 });
  useLayoutEffect(() => {
    const element = frame.current;
    if (!element) return;
    function look(): void {
      if (!element) return;
      const first = Math.floor(element.scrollTop / ROW_PX);
      const count = Math.ceil(element.clientHeight / ROW_PX) + 1;
      setSight((before) =>
        before.first === first && before.count === count ? before : { first, count },
      );
    }
    look();
    const resizing = new ResizeObserver(look);
    resizing.observe(element);
    element.addEventListener('scroll', look, { passive: true });
    element.addEventListener('keydown', moveFocus);
    return () => {
      resizing.disconnect();
      element.removeEventListener('scroll', look);
      element.removeEventListener('keydown', moveFocus);
    };
  }, [frame]);
  return sight;
}

/** The arrow keys go from row to row. */
function moveFocus(event: KeyboardEvent): void {
  const step = { ArrowDown: 'nextElementSibling', ArrowUp: 'previousElementSibling' } as const;
  const way = step[event.key as keyof typeof step];
  const item = (event.target as HTMLElement).closest('li')?.[way];
  if (!way || !item) return;
  event.preventDefault();
  item.querySelector('a')?.focus();
}

const ServerRow = memo(function ServerRow({
  row,
  place,
  of,
}: {
  readonly row: Row;
  readonly place: number;
  readonly of: number;
}) {
  const { server } = row;
  const { agent, host } = server.live;
  const kind = [server.runtime, server.flavor, server.version].filter(Boolean).join(' ');
  return (
    <li style={{ top: place * ROW_PX }} aria-posinset={place + 1} aria-setsize={of}>
      <a href={hrefOf('servers', server.id)}>
        <span className="name">
          <span className="first">{server.name}</span>
          <span className="second">{kind}</span>
        </span>
        <span className="more">
          <span className="first">{server.ip ?? '–'}</span>
          <span className="second">number {server.id}</span>
        </span>
        <span className="more">
          <span className="first">
            {host?.cpu == null ? '–' : `${Math.round(host.cpu * 100)} %`}
          </span>
          <span className="second">{agent?.players == null ? '' : `${agent.players} players`}</span>
        </span>
        <span className="state">
          <Badge word={server.status} />
          <Age at={seenAt(server, row.toldAt)} before="seen " />
        </span>
      </a>
    </li>
  );
});
