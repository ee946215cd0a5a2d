import { migrate } from '../actors/memory.ts';
import { UnavailableError } from '../errors.ts';
import { definitions } from '../machines/index.ts';
import { createFleetRows, createJournalReader } from '../storage/journal.ts';
import { createFind, type FindEntry, takeStep, type Upgrade } from '../view/entry.ts';
import { createFleet, type Fleet } from '../view/fleet.ts';
import type { JournalReader } from '../view/journal.ts';
import { createLive, type Live } from '../view/live.ts';
import { startTail, type Tail } from '../view/tail.ts';
import type { Foundation } from './foundation.ts';

/** What a node that answers reads knows by heart. */
export interface View {
  readonly fleet: Fleet;
  readonly live: Live;
  readonly tail: Tail;
  readonly journal: JournalReader;
  readonly find: FindEntry;
}

/** While a newer release is being rolled out, its states are shown as they are. */
const upgrade: Upgrade = (stored) => {
  try {
    return migrate(definitions.instance, stored).snapshot;
  } catch (error) {
    if (error instanceof UnavailableError) return stored.snapshot;
    throw error;
  }
};

type ViewParts = Pick<
  Foundation,
  'actors' | 'database' | 'feed' | 'liveFeed' | 'logger' | 'now' | 'redis'
>;

/** Complete when it answers: whoever asks this node from then on is answered from memory. */
export async function startView(foundation: ViewParts): Promise<View & AsyncDisposable> {
  const { actors, database, feed, liveFeed, logger, now, redis } = foundation;
  const fleet = createFleet();
  const live = createLive();
  const rows = createFleetRows(database.pool);
  const journal = createJournalReader(database.pool);
  await using opened = new AsyncDisposableStack();
  const tail = opened.use(
    await startTail({
      journal,
      rows,
      fleet,
      upgrade,
      now,
      onError: (err) => logger.warn({ err }, 'cannot follow the journal; tried again in a moment'),
    }),
  );
  const stops = [
    actors.onCommitted(({ address, step }) => {
      if (address.kind === 'instance') takeStep(fleet, step, now());
      tail.wake();
    }),
    feed.subscribe(() => tail.wake()),
    liveFeed.subscribe(live.take),
  ];
  opened.defer(() => {
    for (const stop of stops) stop();
  });
  const recall = () => {
    const vmids = fleet.select({ customerId: null }).map(({ vmid }) => vmid);
    liveFeed.load(vmids).then(live.take, (err) => logger.warn({ err }, 'no live numbers yet'));
  };
  if (redis.status === 'ready') recall();
  else redis.once('ready', recall);
  const closing = opened.move();
  return {
    fleet,
    live,
    tail,
    journal,
    find: createFind({ fleet, rows, upgrade }),
    [Symbol.asyncDispose]: () => closing.disposeAsync(),
  };
}
