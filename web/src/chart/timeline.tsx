import { useEffect, useRef } from 'react';

import type { JournalEntry } from '../api/schema.ts';
import { Age } from '../parts/badge.tsx';
import { hrefOf } from '../router.ts';
import type { Entries } from '../state/journal.ts';

interface Shown {
  readonly id: number;
  /** Steps count from 1. */
  readonly last: number;
  readonly shown: number;
  readonly isPast: boolean;
  readonly entry: JournalEntry | null;
  readonly entries: Entries;
  /** null: whatever is the latest. */
  readonly choose: (revision: number | null) => void;
}

const addressOf = (id: number, revision: number): string =>
  hrefOf('servers', id, 'machine', revision);

/** The life of an instance from its first step to the latest, and where in it the page is. */
export function Timeline({ last, shown, isPast, entry, entries, choose }: Omit<Shown, 'id'>) {
  const at = entry ? new Date(entry.at).toLocaleTimeString() : '';
  return (
    <section className="timeline" aria-label="Timeline">
      <div className="buttons">
        <button type="button" disabled={shown <= 1} onClick={() => choose(shown - 1)}>
          Previous
        </button>
        <button type="button" disabled={shown >= last} onClick={() => choose(shown + 1)}>
          Next
        </button>
        <button
          type="button"
          className={isPast ? 'main' : ''}
          aria-pressed={!isPast}
          onClick={() => choose(null)}
        >
          Live
        </button>
        <output className="where">
          Step {shown} of {last} <code>{entry?.type ?? '…'}</code> {entry && <Age at={entry.at} />}
        </output>
      </div>
      <input
        type="range"
        aria-label="Step"
        min={1}
        max={Math.max(1, last)}
        value={shown}
        aria-valuetext={`step ${shown} of ${last}, ${entry?.type ?? 'being read'} ${at}`}
        onChange={({ target }) => choose(Number(target.value))}
      />
      <Ticks last={last} entries={entries} />
    </section>
  );
}

const TICK_MAX = 8;

/** Where on the slider something moved, as far as the journal has been read. */
function Ticks({ last, entries }: Pick<Shown, 'last' | 'entries'>) {
  const lines = [...entries.values()].flatMap(({ revision, moved: { length } }) =>
    length === 0 ? [] : [`M${revision - 1} 0v${Math.min(TICK_MAX, length * 2)}`],
  );
  return (
    <svg
      className="ticks"
      viewBox={`0 0 ${Math.max(1, last - 1)} ${TICK_MAX}`}
      preserveAspectRatio="none"
      role="presentation"
    >
      <path d={lines.join('')} />
    </svg>
  );
}

/** As many to each side as anybody reads. */
const AROUND = 25;

/** The steps before and after the one that is looked at. */
export function Journal({
  id,
  last,
  shown,
  entries,
}: Pick<Shown, 'id' | 'last' | 'shown' | 'entries'>) {
  const list = useRef<HTMLOListElement>(null);
  // biome-ignore lint/correctness/useExhaustiveDependencies: another step is the reason to scroll
  useEffect(() => {
    const item = list.current?.querySelector<HTMLElement>('[aria-current]');
    if (!item || !list.current) return;
    list.current.scrollTop = item.offsetTop - list.current.clientHeight / 2;
  }, [shown]);
  const [from, to] = [Math.max(1, shown - AROUND), Math.min(last, shown + AROUND)];
  const around = Array.from({ length: to - from + 1 }, (_, index) => from + index);
  return (
    <ol className="entries" ref={list}>
      {around.map((revision) => {
        const entry = entries.get(revision);
        return (
          <li key={revision}>
            <a
              href={addressOf(id, revision)}
              aria-current={revision === shown ? 'step' : undefined}
            >
              <span className="quiet">{revision}</span>
              <code>{entry?.type ?? '…'}</code>
              {entry && <time dateTime={entry.at}>{new Date(entry.at).toLocaleTimeString()}</time>}
              {entry && entry.moved.length > 0 && (
                <span className="moved">{entry.moved.join(', ')}</span>
              )}
            </a>
          </li>
        );
      })}
    </ol>
  );
}
