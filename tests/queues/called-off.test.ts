import { describe, expect, test } from 'vitest';

import { until } from '../support/until.ts';
import { addressOf, createPerformance, setUpClone } from './worker-world.ts';

describe('a performance is called off', () => {
  test('when its lease is lost, and nothing is told', async () => {
    await using t = await setUpClone();
    const { performers, reasons, hasBegun } = createPerformance();
    const performance = t.processorOf(t.node, performers, 90)(t.key);
    await hasBegun();

    await t.rows(`UPDATE effect SET lease_token = 'other', leased_until = now() + interval '1 h'`);
    await performance;

    expect(reasons).toMatchObject([{ message: 'the lease is lost' }]);
    expect(await t.eventsOf(t.key)).toEqual([]);
    expect(await t.effects()).toMatchObject([{ lease_token: 'other' }]);
  });

  test('when nobody waits for it any more, and the next look drops it', async () => {
    await using t = await setUpClone();
    const { performers, reasons, hasBegun } = createPerformance();
    const process = t.processorOf(t.node, performers, 90);
    const performance = process(t.key);
    await hasBegun();

    const late = { type: 'effect.failed', opId: '1', code: 'x', message: 'x', retryable: true };
    await t.createNode().actors.tell(addressOf(5001), late);
    await performance;
    await process(t.key);

    expect(reasons).toHaveLength(1);
    expect((await t.effects()).map(({ key }) => key)).not.toContain(t.key);
  });

  test('when the node shuts down, and another may have it at once', async () => {
    await using t = await setUpClone();
    const { performers, reasons, hasBegun } = createPerformance();
    const shutdown = new AbortController();
    const performance = t.processorOf(t.node, performers)(t.key, { shutdown: shutdown.signal });
    await hasBegun();

    shutdown.abort(new Error('this node shuts down'));
    await performance;

    expect(reasons).toMatchObject([{ message: 'this node shuts down' }]);
    expect(await t.node.outbox.claim(t.key, 'other', 1_000)).toMatchObject({ key: t.key });
  });

  test('before it begins, on a node that is about to end', async () => {
    await using t = await setUpClone();
    const shutdown = AbortSignal.abort(new Error('this node shuts down'));

    await t.processorOf(t.node, {})(t.key, { shutdown });

    expect(await t.rows('SELECT claims FROM effect')).toEqual([{ claims: 0 }]);
  });

  test('not while its lease is renewed, however long it takes', async () => {
    await using t = await setUpClone();
    const { performers, reasons, finish, hasBegun } = createPerformance();
    const performance = t.processorOf(t.node, performers, 90)(t.key);
    await hasBegun();
    const [{ leased_until: first }] = await t.rows('SELECT leased_until FROM effect');

    await until(
      async () => {
        const [row] = await t.rows('SELECT leased_until FROM effect');
        return row.leased_until.getTime() > first.getTime() + 100;
      },
      { what: 'the lease to outlive its first term' },
    );
    finish();
    await performance;

    expect(reasons).toEqual([]);
    expect(await t.eventsOf(t.key)).toHaveLength(1);
  });
});
