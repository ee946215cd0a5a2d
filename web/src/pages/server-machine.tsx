import '../chart/chart.css';

import { useEffect, useRef } from 'react';

import { call } from '../api/client.ts';
import type {
  Endpoints,
  ExplainedAction,
  ExplainedRegion,
  JournalEntry,
  Moment,
} from '../api/schema.ts';
import { layout } from '../chart/layout.ts';
import { type Lit, RegionChart } from '../chart/region-chart.tsx';
import { takenBy } from '../chart/taken.ts';
import { Journal, Timeline } from '../chart/timeline.tsx';
import { Tree } from '../chart/tree.tsx';
import { DueAt, Why } from '../chart/why.tsx';
import { Wishes } from '../chart/wishes.tsx';
import { Badge } from '../parts/badge.tsx';
import { Problem } from '../parts/problem.tsx';
import { useChosenStep } from '../state/chosen-step.ts';
import { type Entries, useJournal } from '../state/journal.ts';
import { usePlaying } from '../state/playing.ts';
import { useResource } from '../state/resource.ts';
import { useKept } from '../state/rested.ts';

type Page = Endpoints['GET /api/servers/{id}/history']['reply'];

/** The machine of a server, as it is or as it was after one of its steps. */
export function MachineTab({
  id,
  latest,
  actions,
  past,
}: {
  readonly id: number;
  readonly latest: Page;
  readonly actions: readonly ExplainedAction[];
  /** The step that is looked at, as the address has it; undefined: whatever is the latest. */
  readonly past: string | undefined;
}) {
  const last = latest.entries[0]?.revision ?? 1;
  const played = usePlaying(last);
  const [chosen, choose] = useChosenStep(id, past);
  const isPast = chosen !== null;
  const shown = Math.min(chosen ?? played, last);
  const { entries, moment, problem } = useJournal(id, latest, shown);
  const entry = entries.get(shown) ?? (moment?.entry.revision === shown ? moment.entry : null);
  const found = moment?.entry.revision === shown ? moment : null;
  const drawn = useKept(entry);
  return (
    <>
      <Timeline {...{ last, shown, isPast, entry, entries, choose }} />
      <Problem problem={problem} />
      <Regions entry={drawn} />
      <div className="machine">
        <Charts {...{ entries, isPast }} entry={drawn} regions={found?.regions ?? []} />
        <div className="beside">
          {drawn && <Happened entry={drawn} before={entries.get(drawn.revision - 1)} />}
          <details className="panel" open>
            <summary>
              <h2>Journal</h2>
            </summary>
            <Journal {...{ id, last, shown, entries }} />
          </details>
          <Now {...{ id, last, actions, isPast }} />
          {moment && <Then moment={moment} isPast={isPast} isFound={found !== null} />}
        </div>
      </div>
    </>
  );
}

interface Drawn {
  readonly entry: JournalEntry | null;
  readonly entries: Entries;
}

function Charts({
  entry,
  entries,
  regions,
  isPast,
}: Drawn & { readonly regions: readonly ExplainedRegion[]; readonly isPast: boolean }) {
  const step = entry?.revision ?? 0;
  const row = useRef<HTMLDivElement>(null);
  const moved = layout.find(({ name }) => step > 1 && entry?.moved.includes(name))?.name;
  // Where there is room for one region only, it is the one in which something happened.
  // biome-ignore lint/correctness/useExhaustiveDependencies: another step is the reason to look
  useEffect(() => {
    const place = row.current;
    const chart = place?.querySelector<HTMLElement>(`#region-${moved}`);
    if (!place || !chart || place.scrollWidth <= place.clientWidth) return;
    place.scrollTo({ left: chart.offsetLeft - place.offsetLeft });
  }, [step, moved]);
  return (
    <div className="charts" ref={row} aria-busy={entry === null}>
      {layout.map((region) => (
        <RegionChart key={region.name} region={region} lit={litOf(region.name, { entry, entries })}>
          <Deadline
            of={regions.find((one) => one.region === region.name)}
            asOf={isPast ? (entry?.at ?? null) : null}
          />
        </RegionChart>
      ))}
    </div>
  );
}

function Deadline({
  of,
  asOf,
}: {
  readonly of: ExplainedRegion | undefined;
  readonly asOf: string | null;
}) {
  if (!of?.deadline) return null;
  return (
    <span className="until">
      {of.deadline.name} <DueAt at={of.deadline.dueAt} asOf={asOf} />
    </span>
  );
}

function litOf(name: string, { entry, entries }: Drawn): Lit {
  const step = entry?.revision ?? 0;
  const region = layout.find((one) => one.name === name);
  const now = entry?.regions[name] ?? null;
  const before = entries.get(step - 1)?.regions[name] ?? null;
  const taken =
    region && entry && now !== null && before !== null
      ? takenBy(region, { type: entry.type, before, now })
      : [];
  return { now, before, taken, step };
}

/** All regions at a glance; each leads to its picture. */
function Regions({ entry }: { readonly entry: JournalEntry | null }) {
  return (
    <ul className="glance" aria-label="The regions">
      {layout.map(({ name }) => (
        <li key={name}>
          <button
            type="button"
            className={entry?.moved.includes(name) ? 'moved' : ''}
            onClick={() => document.getElementById(`region-${name}`)?.scrollIntoView()}
          >
            <span className="quiet">{name}</span>
            <Word state={entry?.regions[name] ?? '…'} />
          </button>
        </li>
      ))}
    </ul>
  );
}

function Word({ state }: { readonly state: string }) {
  const [outer, ...inner] = state.split('.');
  return (
    <span className="word">
      {outer}
      <span className="inner">{inner.join(' · ')}</span>
    </span>
  );
}

function Happened({
  entry: { type, at, event, moved, regions, revision },
  before,
}: {
  readonly entry: JournalEntry;
  readonly before: JournalEntry | undefined;
}) {
  return (
    <section>
      <h2>
        Step {revision}: <code>{type}</code>
      </h2>
      <p className="quiet">
        <time dateTime={at}>{new Date(at).toLocaleString()}</time>
      </p>
      {moved.length === 0 && <p>No region changed its state.</p>}
      <ul className="moves-list">
        {moved.map((region) => (
          <li key={region}>
            <strong>{region}</strong> {before && <>{before.regions[region]} → </>}
            {regions[region]}
          </li>
        ))}
      </ul>
      {Object.keys(event).length > 0 && (
        <details>
          <summary>What it said</summary>
          <Tree value={event} />
        </details>
      )}
    </section>
  );
}

/** Of the present, whatever is looked at. */
function Now({
  id,
  last,
  actions,
  isPast,
}: {
  readonly id: number;
  readonly last: number;
  readonly actions: readonly ExplainedAction[];
  readonly isPast: boolean;
}) {
  const { value, problem, reload } = useResource(`why ${id}`, (signal) =>
    call('GET /api/servers/{id}/why', { path: { id }, signal }),
  );
  // biome-ignore lint/correctness/useExhaustiveDependencies: a new step is the reason to read
  useEffect(reload, [last, reload]);
  return (
    <details className="panel" open={!isPast}>
      <summary>
        <h2>Why, and what now</h2>
      </summary>
      <Problem problem={problem} />
      {value && <Why regions={value.regions} asOf={null} />}
      <h3>What may be asked of it</h3>
      <Wishes actions={actions} />
    </details>
  );
}

function Then({
  moment: { entry, lost, status, regions, conditions, actions, context },
  isPast,
  isFound,
}: {
  readonly moment: Moment;
  readonly isPast: boolean;
  readonly isFound: boolean;
}) {
  const when = isPast ? `after step ${entry.revision}` : 'now';
  return (
    <div className="then" aria-busy={!isFound}>
      {lost && (
        <p className="problem" role="status">
          <strong>Only the states of this moment are known</strong>: {lost.message}{' '}
          <code>{lost.code}</code>
        </p>
      )}
      {isPast && regions && (
        <details className="panel" open>
          <summary>
            <h2>What it waited for {when}</h2>
          </summary>
          <Why regions={regions} asOf={entry.at} />
          <h3>What could be asked of it</h3>
          <Wishes actions={actions ?? []} />
        </details>
      )}
      {conditions && (
        <details className="panel" open>
          <summary>
            <h2>Conditions {when}</h2>
          </summary>
          {status !== null && (
            <p>
              In one word: <Badge word={status} />
            </p>
          )}
          <ul className="conditions">
            {conditions.map(({ type, status: word, message }) => (
              <li key={type}>
                <Badge word={word} /> <strong>{type}</strong> {message}
              </li>
            ))}
          </ul>
        </details>
      )}
      {context && (
        <details className="panel" open>
          <summary>
            <h2>Context {when}</h2>
          </summary>
          <Tree value={context} />
        </details>
      )}
    </div>
  );
}
