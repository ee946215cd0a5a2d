import { describe, expect, test } from 'vitest';

import { startRedis } from '../../lab/services/redis.ts';
import { UpstreamError } from '../../src/errors.ts';
import { temporaryFolder } from '../lab/proxmox-world.ts';
import { until } from '../support/until.ts';
import { CONCURRENCY, createWillingWorld, endless, STEPS, setUpNodes } from './node-world.ts';

describe('the queue', () => {
  test('tries again what did not get through, and at its last attempt the machine is told', async () => {
    await using t = await setUpNodes();
    let attempts = 0;
    await using node = await t.startNode(
      {
        'container.clone': async () => {
          attempts += 1;
          throw new UpstreamError('lost', { reason: 'no_answer', retryable: true });
        },
      },
      () => ({ none: { everyMs: 60_000, run: async () => {} } }),
    );
    const key = await t.create(node.actors);

    const opts = { attempts: 3, backoff: { type: 'fixed', delay: 20 }, jobId: key };
    await t.queues.get('effects-clone').add('container.clone', { key }, opts);
    await until(async () => (await t.eventsOf(key)).length > 0, { what: 'the end to be told' });

    expect(attempts).toBe(3);
    expect(await t.eventsOf(key)).toMatchObject([{ type: 'effect.failed', code: 'no_answer' }]);
  });

  test('that loses everything in the middle of a job loses nothing that matters', async () => {
    await using folder = await temporaryFolder();
    await using own = await startRedis({ dataDir: folder.path, cacheDir: '.cache' });
    await using t = await setUpNodes(own.url);
    const { promise: gate, resolve: open } = Promise.withResolvers<void>();
    const { performers, performed } = createWillingWorld(gate);
    await using node = await t.startNode(performers);
    const key = await t.create(node.actors);
    await until(() => performed.length === 1, { what: 'the clone to begin' });

    await t.redis.flushall();
    open();
    await until(async () => (await t.eventsOf(key)).length > 0, { what: 'the end of the clone' });
    await t.redis.flushall();
    await until(() => t.isReady(node), { what: 'work to go on', timeoutMs: 15_000 });

    expect(performed.slice(0, 4)).toEqual(STEPS.map((step) => `${step} 5001`));
    expect(await t.queues.get('sweeps').getJobSchedulersCount()).toBe(2);
  });
});

describe('effects that take long', () => {
  test('such as clones that wait for the template, keep no other container waiting', async () => {
    await using t = await setUpNodes();
    const willing = createWillingWorld();
    await using node = await t.startNode({ ...willing.performers, ...endless });
    const clones = Array.from({ length: CONCURRENCY + 1 }, (_, i) => 5001 + i);
    await Promise.all(clones.map((vmid) => t.create(node.actors, vmid)));
    const isHeld = async () =>
      (await t.effects()).filter(({ lease_token }) => lease_token).length === CONCURRENCY;
    await until(isHeld, { what: 'clones in every slot' });

    const elsewhere = t.createNode();
    const key = await t.create(elsewhere.actors, 5100);
    await t.processorOf(elsewhere, willing.performers)(key);

    await until(() => willing.performed.includes('container.start 5100'), {
      what: 'the other container to be started',
    });
  });
});
