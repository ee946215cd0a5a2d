import { randomBytes } from 'node:crypto';

import { expect, inject, test } from 'vitest';

import type { Change } from '../../src/actors/change-feed.ts';
import type { Step } from '../../src/actors/store.ts';
import { createQueues } from '../../src/queues/queues.ts';
import { createRelay } from '../../src/queues/relay.ts';
import { until } from '../support/until.ts';

function setUp({ redisUrl = inject('redisUrl'), retryMs = 500 } = {}) {
  const errors: unknown[] = [];
  const published: Change[] = [];
  const queues = createQueues({
    connection: { url: redisUrl, maxRetriesPerRequest: 0, retryStrategy: () => null },
    prefix: `t${randomBytes(6).toString('hex')}`,
    onError: () => {},
  });
  const relay = createRelay({
    queues,
    feed: { publish: (changes) => void published.push(...changes), subscribe: () => () => {} },
    onError: (error) => errors.push(error),
    retryMs,
  });
  return {
    queues,
    relay,
    errors,
    published,
    [Symbol.asyncDispose]: () => queues[Symbol.asyncDispose](),
  };
}

const step = (version: number, parts: Partial<Step> = {}): Step => ({
  id: '5001-a',
  version,
  machineVersion: 1,
  snapshot: { value: 'x', context: {}, status: 'active', since: {} },
  eventId: `e-${version}`,
  event: { type: 'x' },
  effects: [],
  arms: [],
  cancels: [],
  operations: [],
  unchanged: [],
  archives: false,
  ...parts,
});
const announced = (one: Step) => ({ address: { kind: 'instance', id: one.id }, step: one });
const effect = (key: string, kind: string) => ({ key, kind, params: {} });

test('each effect wakes the queue of its third party, under its key', async () => {
  await using t = setUp();
  const effects = [
    effect('5001-a/2/0', 'container.start'),
    effect('5001-a/2/1', 'agent.configure'),
  ];

  t.relay.announce(announced(step(2, { effects })));

  const hostJob = await until(() => t.queues.get('effects-host').getJob('5001-a/2/0'), {
    what: 'the host effect',
  });
  const agentJob = await until(() => t.queues.get('effects-agent').getJob('5001-a/2/1'), {
    what: 'the agent effect',
  });
  expect(hostJob.data).toEqual({ key: '5001-a/2/0' });
  expect(agentJob.data).toEqual({ key: '5001-a/2/1' });
  expect(t.published).toEqual([{ id: '5001-a', version: 2 }]);
});

test('an effect whose call does not get through is tried again after what is said', async () => {
  await using t = setUp({ retryMs: 70 });

  await t.relay.enqueue([effect('5001-a/2/0', 'container.start')]);
  const job = await t.queues.get('effects-host').getJob('5001-a/2/0');

  expect(job?.opts).toMatchObject({ attempts: 5, backoff: { type: 'exponential', delay: 70 } });
});

test('what is enqueued already is not enqueued again', async () => {
  await using t = setUp();
  const entries = [effect('5001-a/2/0', 'container.start')];

  await t.relay.enqueue(entries);
  await t.relay.enqueue(entries);

  expect(await t.queues.get('effects-host').getJobCountByTypes('waiting', 'delayed')).toBe(1);
});

test('a deadline of seconds gets a job of its own; one of minutes is left to the sweep', async () => {
  await using t = setUp();
  const arms = [
    { timerId: 'soon', delayMs: 2_000, event: { type: 'soon' } },
    { timerId: 'late', delayMs: 600_000, event: { type: 'late' } },
  ];

  t.relay.announce(announced(step(3, { arms })));

  const jobs = await until(
    async () => {
      const delayed = await t.queues.get('timers').getDelayed();
      return delayed.length > 0 && delayed;
    },
    { what: 'the job of the timer' },
  );
  expect(jobs.map(({ id, data }) => ({ id, data }))).toEqual([
    { id: '5001-a/soon/3', data: { instanceId: '5001-a' } },
  ]);
});

test('a Redis that is away is reported, and nobody waits for it', async () => {
  await using t = setUp({ redisUrl: 'redis://127.0.0.1:1' });

  t.relay.announce(announced(step(2, { effects: [effect('5001-a/2/0', 'container.start')] })));

  await until(() => t.errors.length > 0, { what: 'the error' });
});
