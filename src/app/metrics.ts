import type { ActorStore } from '../actors/store.ts';
import type { ActorSystem } from '../actors/system.ts';
import { QUEUE_NAMES, type Queues } from '../queues/queues.ts';
import { type Backlog, readBacklog } from '../storage/backlog.ts';
import type { Database } from '../storage/database.ts';
import type { Metrics, Sample } from '../telemetry/metrics.ts';
import type { Fleet } from '../view/fleet.ts';

/** The same store, whose commits are seen by metrics. */
export function measureCommits(store: ActorStore, metrics: Metrics): ActorStore {
  return {
    ...store,
    async commit(steps) {
      const startedAt = performance.now();
      const outcomes = await store.commit(steps);
      const ms = performance.now() - startedAt;
      const conflicts = outcomes.filter((outcome) => outcome === 'void').length;
      metrics.observeCommit({ steps: steps.length, conflicts, ms });
      return outcomes;
    },
  };
}

const JOB_STATES = ['waiting', 'prioritized', 'active', 'delayed', 'failed'] as const;

type JobState = (typeof JOB_STATES)[number];

/** How many jobs each queue has, by their state. */
export async function countJobs(queues: Pick<Queues, 'get'>) {
  return Promise.all(
    QUEUE_NAMES.map(async (name) => {
      const counted = await queues.get(name).getJobCounts(...JOB_STATES);
      const jobs = JOB_STATES.map((state) => [state, counted[state] ?? 0] as const);
      return { name, jobs: Object.fromEntries(jobs) as Readonly<Record<JobState, number>> };
    }),
  );
}

function measureQueues(queues: Queues, metrics: Metrics): void {
  metrics.addSource({
    name: 'zpack_queue_jobs',
    help: 'Jobs of BullMQ, the same seen from every process',
    labels: ['queue', 'state'],
    async read() {
      const counted = await countJobs(queues);
      return counted.flatMap(({ name: queue, jobs }) =>
        JOB_STATES.map((state) => ({ labels: { queue, state }, value: jobs[state] })),
      );
    },
  });
}

/** Several metrics come of one look, and several readers may ask at once. */
const LOOK_KEPT_MS = 5_000;

function keptFor<T>(ms: number, now: () => number, look: () => Promise<T>): () => Promise<T> {
  let latest: { readonly at: number; readonly found: Promise<T> } | undefined;
  return () => {
    if (!latest || now() - latest.at > ms) {
      latest = { at: now(), found: look() };
      latest.found.catch(() => {
        latest = undefined;
      });
    }
    return latest.found;
  };
}

function measureBacklog(pool: Database['pool'], metrics: Metrics, now: () => number): void {
  const look = keptFor(LOOK_KEPT_MS, now, () => readBacklog(pool));
  const single = (name: string, help: string, value: (backlog: Backlog) => number) =>
    metrics.addSource({
      name,
      help: `${help}, the same seen from every process`,
      labels: [],
      read: async () => [{ labels: {}, value: value(await look()) }],
    });
  metrics.addSource({
    name: 'zpack_effects',
    help: 'Effects in the outbox, the same seen from every process',
    labels: ['kind'],
    async read() {
      const { effects } = await look();
      return effects.map(({ kind, count }) => ({ labels: { kind }, value: count }));
    },
  });
  single('zpack_effect_age_seconds', 'Age of the oldest effect', (one) => one.oldestEffectMs / 1e3);
  single('zpack_timers', 'Armed timers', ({ timers }) => timers);
  single('zpack_timers_overdue', 'Timers whose time has come', (one) => one.timersOverdue);
  single('zpack_debts', 'What deletions could not remove yet', ({ debts }) => debts);
}

/** What every process has. */
export function measureFoundation(
  metrics: Metrics,
  {
    actors,
    queues,
    database,
    now,
  }: {
    readonly actors: Pick<ActorSystem, 'onCommitted'>;
    readonly queues: Queues;
    readonly database: Pick<Database, 'pool'>;
    readonly now: () => number;
  },
): void {
  actors.onCommitted(({ step }) => metrics.observeStep(step.event.type));
  measureQueues(queues, metrics);
  measureBacklog(database.pool, metrics, now);
}

const outermost = (value: unknown): string =>
  typeof value === 'string' ? value : (Object.keys(value ?? {})[0] ?? '');

/** Of what this node knows by heart: whoever asks costs the database nothing. */
export function measureFleet(fleet: Pick<Fleet, 'select'>, metrics: Metrics): void {
  metrics.addSource({
    name: 'zpack_instances',
    help: 'Instances by the state of each region, the same seen from every API',
    labels: ['region', 'state'],
    read() {
      const counts = new Map<string, Sample>();
      for (const { state } of fleet.select({ customerId: null })) {
        for (const [region, value] of Object.entries(state.value)) {
          const labels = { region, state: outermost(value) };
          const key = `${region} ${labels.state}`;
          counts.set(key, { labels, value: (counts.get(key)?.value ?? 0) + 1 });
        }
      }
      return [...counts.values()];
    },
  });
}
