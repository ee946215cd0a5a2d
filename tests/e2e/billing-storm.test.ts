import { expect, test } from 'vitest';

import type { Fault } from '../support/crash-nodes.ts';
import { until } from '../support/until.ts';
import { CUSTOMERS, LAST_ROUND, live } from './billing-lives.ts';
import { type Final, type Storm, startStorm } from './billing-storm-world.ts';

/** Each of them ends a worker, and the next one goes on. */
const FAULTS: readonly Fault[] = [
  { at: 'commit.before', pass: 15 },
  { at: 'commit.after', pass: 15 },
  { at: 'effect.after', pass: 6 },
  { at: 'tell.before', pass: 6 },
];
/**
 * After which rounds something is told at all, and how often all that was told before. Meanwhile a
 * customer may leave, buy again and be behind, and all that is seen is the end of it.
 */
const REPEATS: Readonly<Record<number, number>> = { 0: 0, 5: 1, [LAST_ROUND]: 2 };
const EVENTS_MIN = 400;
const DELIVERIES_MIN = 1_000;

const webhookOf = (url: string | null) => `${url}/api/billing/webhook`;

/** Every round is told of in its order, and acted on, before the next one begins. */
async function liveInOrder(t: Storm): Promise<void> {
  const node = await t.world.nodes.start({ role: 'all' });
  t.lab.webhooks.sendTo(webhookOf(node.url));
  for (let round = 0; round <= LAST_ROUND; round += 1) {
    await live(t.stripe, round, t.customerIds);
    await t.settled();
  }
}

/** What is told is told again, in another order, and never all of it before the next round begins. */
async function liveInDisorder(t: Storm) {
  const { webhooks } = t.lab;
  const [api, worker] = await Promise.all([
    t.world.nodes.start({ role: 'api' }),
    t.world.nodes.start({ role: 'worker', faults: FAULTS }),
  ]);
  webhooks.pause();
  webhooks.sendTo(webhookOf(api.url));
  for (let round = 0; round <= LAST_ROUND; round += 1) {
    await live(t.stripe, round, t.customerIds);
    const repeats = REPEATS[round];
    if (repeats === undefined) continue;
    for (let n = 0; n < repeats; n += 1) webhooks.repeat();
    webhooks.shuffle(round + 1);
    const left = Math.floor(webhooks.waiting() / 3);
    webhooks.resume();
    await until(() => webhooks.waiting() <= left, {
      ...{ what: 'most of what waits to be delivered', timeoutMs: 20_000 },
    });
    if (round < LAST_ROUND) webhooks.pause();
  }
  await t.settled();
  return worker;
}

test('a thousand events that come twice and in any order, to workers that are killed, end as in their order', {
  timeout: 90_000,
}, async () => {
  await using storm = await startStorm();
  await using calm = await startStorm();
  const startedAt = performance.now();

  const [worker] = await Promise.all([liveInDisorder(storm), liveInOrder(calm)]);

  const sent = storm.lab.webhooks.sent();
  const taken = sent.filter(({ status }) => status === 200);
  const distinct = new Set(sent.map(({ eventId }) => eventId));
  const [stored] = await storm.rows('SELECT count(*)::int AS n FROM stripe_event');
  const mails = await storm.rows('SELECT key FROM mail');
  const [ours, theirs, inOrder] = [await storm.ours(), await storm.theirs(), await calm.ours()];
  console.log(
    `${CUSTOMERS.length} customers, ${distinct.size} events in ${taken.length} deliveries, ` +
      `${worker.fired().length} workers killed, ${mails.length} mails, ` +
      `${Math.round(performance.now() - startedAt)} ms`,
  );

  expect(ours).toEqual(theirs);
  expect(ours).toEqual(inOrder);
  expect(countOf(ours)).toEqual({ none: 1, trialing: 1, active: 12, past_due: 2, canceled: 2 });
  expect(worker.fired()).toEqual(FAULTS.map(({ at, pass }) => `${at} ${pass}`));
  expect(storm.world.nodes.strange()).toEqual([]);
  expect(distinct.size).toBeGreaterThanOrEqual(EVENTS_MIN);
  expect(taken.length).toBeGreaterThanOrEqual(DELIVERIES_MIN);
  expect(stored.n).toBe(distinct.size);
  expect([await storm.gaps(), await calm.gaps()]).toEqual([[], []]);
  // Nobody is written to more often of what ends than in the right order; of what is behind, maybe less.
  expect(await mailedOftener(storm, calm)).toEqual([]);
  expect(await unmailed(storm, ours)).toEqual([]);
});

function countOf(finals: Readonly<Record<string, Final>>): Readonly<Record<string, number>> {
  const groups = Object.groupBy(Object.values(finals), ({ standing }) => standing);
  return Object.fromEntries(Object.entries(groups).map(([name, all]) => [name, all?.length ?? 0]));
}

/** Who was told of the same more often than whoever lived the same in order. */
async function mailedOftener(storm: Storm, calm: Storm): Promise<readonly string[]> {
  const count = async ({ rows }: Storm) => {
    const mails = await rows('SELECT kind, recipient FROM mail');
    const groups: Readonly<Record<string, unknown[] | undefined>> = Object.groupBy(
      mails,
      ({ kind, recipient }) => `${kind} to ${recipient}`,
    );
    return groups;
  };
  const [stormy, calmly] = [await count(storm), await count(calm)];
  return Object.entries(stormy).flatMap(([what, all]) => {
    const [ours, theirs] = [all?.length ?? 0, calmly[what]?.length ?? 0];
    return ours > theirs ? [`${what}: ${ours} for ${theirs}`] : [];
  });
}

/** Who is suspended, or behind, and has not been written to. */
async function unmailed({ rows }: Storm, finals: Readonly<Record<string, Final>>) {
  const mails = await rows('SELECT kind, recipient FROM mail');
  const kinds: Readonly<Record<string, string>> = {
    ...{ canceled: 'suspended', past_due: 'payment_failed' },
  };
  return Object.entries(finals)
    .filter(([, { standing }]) => standing in kinds)
    .filter(([id, { standing }]) =>
      mails.every(
        ({ kind, recipient }) => kind !== kinds[standing] || recipient !== `${id}@zpack.test`,
      ),
    )
    .map(([id]) => id);
}
