import { expect, test } from 'vitest';

import { createAuthentication } from '../../src/http/auth/authentication.ts';
import { createTokens } from '../../src/http/auth/tokens.ts';
import { createEventHub, EVENT_LIMITS, type EventLimits } from '../../src/http/event-hub.ts';
import { createEventTexts } from '../../src/http/event-texts.ts';
import { eventEndpoints } from '../../src/http/routes/events.ts';
import { createHttpApp, listen } from '../../src/http/server.ts';
import { createServerTexts } from '../../src/http/server-texts.ts';
import { createFleetRows, createJournalReader } from '../../src/storage/journal.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { createFind } from '../../src/view/entry.ts';
import { createFleet } from '../../src/view/fleet.ts';
import { createLive } from '../../src/view/live.ts';
import { startTail } from '../../src/view/tail.ts';
import { createTestDatabase } from '../support/database.ts';
import { openEventStream } from '../support/event-stream.ts';
import { createFleetWriter } from '../support/fleet-writer.ts';
import { until } from '../support/until.ts';

const OWNER = 'c-1';
const SESSION = 's-1';

/** The streams of a node with other limits, and a clock that the test may turn. */
async function setUp(limits: Partial<EventLimits>) {
  await using opened = new AsyncDisposableStack();
  const database = opened.use(await createTestDatabase());
  const clock = { offsetMs: 0 };
  const now = () => Date.now() + clock.offsetMs;
  const journal = createJournalReader(database.pool);
  const rows = createFleetRows(database.pool);
  const fleet = createFleet();
  const upgrade = ({ snapshot }: { snapshot: never }) => snapshot;
  const tail = opened.use(
    await startTail({ journal, rows, fleet, upgrade: upgrade as never, now, onError: () => {} }),
  );
  const texts = createServerTexts({
    live: createLive(),
    now,
    unseenAfterMs: 60_000,
    currentAt: tail.currentAt,
  });
  const eventTexts = createEventTexts({ fleet, texts });
  const closing = new AbortController();
  const all = { ...EVENT_LIMITS, ...limits };
  const common = { journal, fleet, texts, limits: all };
  const revoked = new Set<string>();
  const findRoles = async (ids: readonly string[]) =>
    new Map(ids.filter((id) => !revoked.has(id)).map((id) => [id, 'user' as const]));
  const hub = createEventHub({
    ...common,
    tail,
    eventTexts,
    findRoles,
    now,
    closing: closing.signal,
  });
  const tokens = createTokens({
    ...{ secret: 'x'.repeat(32), oldSecrets: [], issuer: 'test', now },
    ...{ accessTtlS: 60, refreshTtlS: 60, ideTtlS: 60, ideCookieTtlS: 60 },
  });
  const { authenticate } = createAuthentication({
    tokens,
    sessions: { findRole: async () => 'user' },
    apiTokens: { find: async () => null },
    now,
  });
  const find = createFind({ fleet, rows, upgrade: upgrade as never });
  const listening = opened.use(
    await listen(
      createHttpApp({
        endpoints: eventEndpoints({
          ...common,
          hub,
          find,
          instances: { listArchived: async () => [] },
        }),
        authenticate,
        corsOrigins: [],
        problems: '',
        logger: createLogger('silent'),
      }),
      { host: '127.0.0.1', port: 0 },
    ),
  );
  opened.defer(() => closing.abort());
  const { token } = await tokens.issueAccess({ userId: OWNER, sid: SESSION });
  const end = opened.move();
  return {
    clock,
    revoke: () => revoked.add(SESSION),
    writer: createFleetWriter(database),
    open: (lastEventId?: number) =>
      openEventStream(listening.url, { token, ...(lastEventId !== undefined && { lastEventId }) }),
    [Symbol.asyncDispose]: () => end.disposeAsync(),
  };
}

test('a client that stops reading is cut off, the others go on, and it comes back for the rest', async () => {
  await using t = await setUp({ bufferMax: 256 * 1024 });
  // So large that what the kernel keeps for a connection is soon full.
  const hostname = 'x'.repeat(100_000);
  await t.writer.create([{ vmid: 5001, customerId: OWNER, more: { hostname } }]);
  const [slow, other] = [await t.open(1), await t.open(1)];

  slow.pause();
  for (let round = 1; round <= 200; round += 1) {
    await t.writer.change([5001]);
    if (round % 25 === 0) await other.waitFor(round);
  }
  slow.resume();
  await until(slow.hasEnded, { what: 'the slow client to be cut off' });
  const last = slow.seqs().at(-1) ?? 1;
  const back = await t.open(last);
  await back.waitFor(201 - last);

  expect(slow.seqs().length).toBeLessThan(200);
  expect([...slow.seqs(), ...back.seqs()]).toEqual(other.seqs());
  for (const stream of [other, back]) stream.close();
});

test('a client who reads nothing at all does not keep a node from ending', async () => {
  const t = await setUp({});
  const hostname = 'x'.repeat(100_000);
  const vmids = Array.from({ length: 200 }, (_, index) => 5001 + index);
  await t.writer.create(vmids.map((vmid) => ({ vmid, customerId: OWNER, more: { hostname } })));
  const stream = await t.open(0);
  stream.pause();

  const startedAt = performance.now();
  await t[Symbol.asyncDispose]();

  expect(performance.now() - startedAt).toBeLessThan(4_000);
  stream.close();
});

test('a silent stream shows now and then that it is alive, and ends with its token', async () => {
  await using t = await setUp({ heartbeatMs: 20 });
  const stream = await t.open();

  await until(() => stream.text().split(':\n\n').length > 3, { what: 'three heartbeats' });
  const before = stream.hasEnded();
  t.clock.offsetMs = 61_000;
  await until(stream.hasEnded, { what: 'the stream to end' });

  expect(before).toBe(false);
});

test('a stream ends when whoever has opened it is signed out', async () => {
  await using t = await setUp({ recheckMs: 20 });
  await t.writer.create([{ vmid: 5001, customerId: OWNER }]);
  const stream = await t.open(0);
  await stream.waitFor(1);

  const before = stream.hasEnded();
  t.revoke();
  await until(stream.hasEnded, { what: 'the stream to end' });

  expect(before).toBe(false);
});

test('changes that come together are written together', async () => {
  await using t = await setUp({ flushMs: 50 });
  const vmids = Array.from({ length: 20 }, (_, index) => 5001 + index);
  await t.writer.create(vmids.map((vmid) => ({ vmid, customerId: OWNER })));
  const stream = await t.open(20);
  await t.writer.change([5001]);
  await stream.waitFor(1);

  for (let round = 0; round < 10; round += 1) await t.writer.change(vmids);
  await stream.waitFor(201);
  stream.close();

  expect(stream.pieces()).toBeLessThan(60);
  expect(stream.seqs()).toEqual(Array.from({ length: 201 }, (_, index) => 21 + index));
});
