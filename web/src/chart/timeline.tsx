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
}

const addressOf = (id: number, revision: number): string =>
  hrefOf('servers', id, 'machine', revision);

/** Every moment has an address, and passing by leaves none of them behind. */
const goTo = (href: string): void => location.replace(href);

/** The life of an instance from its first step to the latest, and where in it the page is. */
export function Timeline({ id, last, shown, isPast, entry, entries }: Shown) {
  const present = hrefOf('servers', id, 'machine');
  const at = entry ? new Date(entry.at).toLocaleTimeString() : '';
  return (
    <section className="timeline" aria-label="Timeline">
      <div className="buttons">
        <button type="button" disabled={shown <= 1} onClick={() => goTo(addressOf(id, shown - 1))}>
          Previous
        </button>
        <button
          type="button"
          disabled={shown >= last}
          onClick={() => goTo(addressOf(id, shown + 1))}
        >
          Next
        </button>
        <button
          type="button"
          className={isPast ? 'main' : ''}
          aria-pressed={!isPast}
          onClick={() => goTo(present)}
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
        onChange={({ target }) => goTo(addressOf(id, Number(target.value)))}
      />
      <details>
        <summary>The journal around it</summary>
        <Entered {...{ id, last, shown, isPast, entry, entries }} />
      </details>
    </section>
  );
}

/** As many to each side as anybody reads. */
const AROUND = 25;

function Entered({ id, last, shown, entries }: Shown) {
  const list = useRef<HTMLOListElement>(null);
  // biome-ignore lint/correctness/useExhaustiveDependencies: another step is the reason to scroll
  useEffect(() => {
    const item = list.current?.querySelector<HTMLElement>('[aria-current]');
    if (item && list.current)
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
              <span className="quiet">{revision}</span> <code>{entry?.type ?? '…'}</code>{' '}
              <span className="quiet">{entry?.moved.join(', ')}</span>
              {entry && <time dateTime={entry.at}>{new Date(entry.at).toLocaleTimeString()}</time>}
            </a>
          </li>
        );
      })}
    </ol>
  );
}
