import { describe, expect, test } from 'vitest';

import { definitions } from '../../src/machines/index.ts';
import { operationsOf } from '../../src/machines/instance/operations.ts';
import { observed, power, published, removal } from '../support/instance-life.ts';
import { samplePlan } from '../support/instance-model.ts';

const wish = (verb: 'publish' | 'unpublish', more: object = {}) => ({
  type: `${verb}.requested`,
  operationId: 'op-9',
  requestedBy: 'a-1',
  ...more,
});
const states = (life: ReturnType<typeof published>) =>
  Object.fromEntries(
    (life.state.context.payload.edge?.targets ?? []).map(({ spec, state }) => [spec.kind, state]),
  );

describe('the edge', () => {
  test('is told once the agent is ready, every target at once', () => {
    const life = published({ until: 'ready' });

    expect(life.effects).toEqual(['public_dns.publish', 'internal_dns.publish', 'proxy.register']);
    expect(life.state.value).toMatchObject({ provisioning: 'ready', edge: 'publishing' });
    expect(states(life)).toEqual({ public_dns: 'publishing', internal_dns: 'publishing' });
  });

  test('is published when every target and Velocity have it', () => {
    const life = published({ until: 'ready' });
    life.end('public_dns', 'target.published');
    life.end('proxy', 'proxy.registered', { isVerified: true });
    expect(life.state.value.edge).toBe('publishing');
    life.end('internal_dns', 'target.published');

    expect(life.state.value).toMatchObject({ edge: 'published', proxy: 'registered' });
  });

  test('is degraded when one target fails, which alone is told again', () => {
    const life = published({ until: 'ready' });
    life.end('proxy', 'proxy.registered', { isVerified: true });
    life.end('public_dns', 'target.published');
    life.end('internal_dns', 'effect.failed', { code: 'timed_out', message: 'm', retryable: true });
    const { edge } = life.state.context.payload;

    expect(life.state.value.edge).toBe('degraded');
    expect(edge?.targets[1]).toMatchObject({
      state: 'failed',
      failure: { code: 'timed_out', message: 'm' },
    });
    life.effects.length = 0;
    life.pass('edgePause');
    expect(life.effects).toEqual(['internal_dns.publish']);
    life.end('internal_dns', 'target.published');
    expect(life.state.value.edge).toBe('published');
  });

  test('has failed when no target has it, and is told again all the same', () => {
    const life = published({ until: 'ready' });
    const refused = { code: 'unauthenticated', message: 'm', retryable: false };
    life.end('proxy', 'effect.failed', refused);
    life.end('public_dns', 'effect.failed', refused);
    life.end('internal_dns', 'effect.failed', refused);

    expect(life.state.value.edge).toBe('failed');
    life.effects.length = 0;
    life.pass('edgePause');
    expect(life.effects).toEqual(['public_dns.publish', 'internal_dns.publish']);
  });

  test('that does not answer by its deadline has failed, and says so', () => {
    const life = published({ until: 'ready' });
    life.end('public_dns', 'target.published');
    life.pass('publishDeadline');

    expect(life.state.value.edge).toBe('degraded');
    expect(life.state.context.payload.edge?.targets[1]?.failure?.code).toBe('deadline_exceeded');
    expect(life.state.context.ops.edge).toEqual({});
  });

  test('keeps its names while the container is stopped', () => {
    const life = published();
    life.send(power('stop'));
    life.answer('container.stopped');

    expect(life.state.value).toMatchObject({ host: 'stopped', edge: 'published' });
    expect(life.effects).toEqual(['container.shutdown']);
  });

  test('is told again what a comparison has missed', () => {
    const life = published();
    life.send({ type: 'target.lost', kind: 'public_dns', message: 'it is gone' });

    expect(life.effects).toEqual(['public_dns.publish']);
    life.end('public_dns', 'target.published');
    expect(life.state.value.edge).toBe('published');
  });

  test('that lacks one target does not take another for published that was lost meanwhile', () => {
    const life = published({ until: 'ready' });
    life.end('public_dns', 'target.published');
    life.end('proxy', 'proxy.registered', { isVerified: true });
    life.end('internal_dns', 'effect.failed', { code: 'timed_out', message: 'm', retryable: true });
    life.send({ type: 'target.lost', kind: 'public_dns', message: 'gone' });
    life.effects.length = 0;
    life.pass('edgePause');

    expect(life.effects).toEqual(['public_dns.publish', 'internal_dns.publish']);
  });

  test('forgets everything at a deletion, and only then is the instance deleted', () => {
    const life = published();
    life.send({ ...removal, force: true });
    life.answer('container.stopped');
    life.answer('container.destroyed');
    expect(life.state.value).toMatchObject({
      provisioning: { deleting: 'releasing' },
      edge: { unpublishing: 'removing' },
    });
    life.end('public_dns', 'target.removed');
    life.end('proxy', 'proxy.unregistered');
    life.end('internal_dns', 'target.removed');

    expect(life.state.value).toMatchObject({ provisioning: 'deleted', edge: 'unpublished' });
    expect(life.state.context.debts).toEqual([]);
  });

  test('owes what it cannot remove, with what it takes to remove it later', () => {
    const life = published();
    life.send({ ...removal, force: true });
    life.answer('container.stopped');
    life.answer('container.destroyed');
    life.end('internal_dns', 'target.removed');
    life.end('proxy', 'proxy.unregistered');
    const away = { code: 'not_connected', message: 'away', retryable: true };
    life.end('public_dns', 'effect.failed', away);
    life.pass('edgePause');
    life.end('public_dns', 'effect.failed', away);

    expect(life.state.value.provisioning).toBe('deleted');
    expect(life.state.context.debts).toEqual([
      {
        kind: 'public_dns',
        code: 'not_connected',
        message: 'away',
        subject: samplePlan(1).targets[0],
      },
    ]);
  });

  test('lets a call that publishes end before it removes what that may bring about', () => {
    const life = published({ until: 'ready' });
    life.send({ ...removal, force: true });
    expect(life.state.value.edge).toEqual({ unpublishing: 'settling' });
    life.end('public_dns', 'target.published');
    life.end('internal_dns', 'effect.failed', { code: 'x', message: 'x', retryable: true });
    life.effects.length = 0;
    life.end('proxy', 'proxy.registered', { isVerified: true });

    expect(life.state.value.edge).toEqual({ unpublishing: 'removing' });
    // Also what failed: its answer may have been lost after it was done.
    expect(states(life)).toEqual({ public_dns: 'removing', internal_dns: 'removing' });
  });
});

describe('a wish', () => {
  test('to unpublish removes everything, as an operation with an end', () => {
    const life = published();
    life.send(wish('unpublish'));
    expect(life.state.context.edgeOperation).toMatchObject({ id: 'op-9', state: 'running' });
    life.end('public_dns', 'target.removed');
    life.end('internal_dns', 'target.removed');
    life.end('proxy', 'proxy.unregistered');

    expect(life.state.value).toMatchObject({
      provisioning: 'ready',
      edge: 'unpublished',
      proxy: 'none',
    });
    expect(life.state.context.edgeOperation).toMatchObject({ state: 'succeeded', finishedAt: 7 });
  });

  test('to publish again tells every target anew, also those that have it', () => {
    const life = published();
    life.send(wish('publish', { plan: samplePlan(2) }));

    expect(life.effects).toEqual(['public_dns.publish', 'internal_dns.publish']);
    life.end('public_dns', 'target.published');
    life.end('internal_dns', 'target.published');
    expect(life.state.context.edgeOperation).toMatchObject({ kind: 'publish', state: 'succeeded' });
  });

  test('to publish something else removes the old before it tells the new', () => {
    const life = published();
    life.send(wish('publish', { plan: samplePlan(1) }));
    expect(life.effects).toEqual(['public_dns.remove', 'internal_dns.remove', 'proxy.unregister']);
    life.end('public_dns', 'target.removed');
    life.end('internal_dns', 'target.removed');
    life.effects.length = 0;
    life.end('proxy', 'proxy.unregistered');

    expect(life.effects).toEqual(['public_dns.publish', 'proxy.register']);
    expect(states(life)).toEqual({ public_dns: 'publishing' });
  });

  test('that another one replaces is superseded, and leaves its record', () => {
    const life = published();
    life.send(wish('publish', { plan: samplePlan(2) }));
    const before = life.state.context;
    life.send(wish('unpublish', { operationId: 'op-10' }));

    const records = operationsOf(before, life.state.context);
    expect(records.map(({ id, state }) => [id, state])).toEqual([
      ['op-9', 'superseded'],
      ['op-10', 'running'],
    ]);
  });

  test('to publish is superseded by a deletion', () => {
    const life = published();
    life.send(wish('publish', { plan: samplePlan(2) }));
    life.send({ ...removal, force: true });
    life.end('public_dns', 'target.published');
    life.end('internal_dns', 'target.published');
    for (const kind of ['public_dns', 'internal_dns'] as const) life.end(kind, 'target.removed');
    life.end('proxy', 'proxy.unregistered');

    expect(life.state.context.edgeOperation).toMatchObject({ state: 'superseded', finishedAt: 7 });
  });

  test('to unpublish what is not published is refused as no change', () => {
    const life = published();
    life.send(wish('unpublish'));
    const before = life.state;
    life.send(wish('unpublish', { operationId: 'op-10' }));
    expect(life.state).toBe(before);
    expect(definitions.instance.explain(before, wish('unpublish')).code).toBe(
      'unpublish_in_progress',
    );
    life.end('public_dns', 'target.removed');
    life.end('internal_dns', 'target.removed');
    life.end('proxy', 'proxy.unregistered');

    expect(definitions.instance.explain(life.state, wish('unpublish')).code).toBe('no_change');
  });

  test('to publish where nothing is configured is refused with that reason', () => {
    const life = published();
    life.send(wish('publish', { plan: { targets: [], proxy: null } }));

    expect(life.state.value.edge).toBe('published');
    expect(definitions.instance.explain(life.state, wish('publish')).code).toBe(
      'nothing_to_publish',
    );
  });
});

test('an agent that is not ready any more does not take down what is published', () => {
  const life = published();
  life.send(observed('unreachable'));

  expect(life.state.value).toMatchObject({ agent: 'unreachable', edge: 'published' });
});
