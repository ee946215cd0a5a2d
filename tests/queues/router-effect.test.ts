import { randomBytes } from 'node:crypto';

import { Redis } from 'ioredis';
import { describe, expect, inject, test } from 'vitest';

import { createRouterSights } from '../../src/storage/router-sights.ts';
import { until } from '../support/until.ts';
import { createEdgeNode, routerSpec } from './edge-parties.ts';
import { addressOf, cloned, idOf, setUpInstances } from './worker-world.ts';

const target = routerSpec();

/** Two instances with a life of some steps, and what Traefik was given last. */
async function setUp() {
  await using opened = new AsyncDisposableStack();
  const t = opened.use(await setUpInstances());
  const { actors, pool } = t.createNode();
  for (const vmid of [5001, 5002]) {
    await t.create(actors, vmid);
    const { ops } = await t.contextOf(actors, vmid);
    await actors.tell(addressOf(vmid), cloned(ops.host?.id ?? ''));
  }
  const prefix = `router-${randomBytes(6).toString('hex')}`;
  const createSights = () => {
    const redis = new Redis(inject('redisUrl'));
    opened.defer(() => redis.disconnect());
    return createRouterSights({ redis, prefix, pool });
  };
  const [sights, elsewhere] = [createSights(), createSights()];
  let asked = 0;
  const node = createEdgeNode(
    {},
    {
      ...sights,
      async servedUpTo() {
        asked += 1;
        return sights.servedUpTo();
      },
    },
  );
  const closing = opened.move();
  return {
    sights: elsewhere,
    asked: () => asked,
    seqOf: (vmid: number) => sights.latestStep(idOf(vmid)),
    perform: (kind: 'router.publish' | 'router.remove', vmid = 5001, signal?: AbortSignal) =>
      node.perform(kind, { target }, { id: idOf(vmid), ...(signal && { signal }) }),
    [Symbol.asyncDispose]: () => closing.disposeAsync(),
  };
}

describe.each([
  ['router.publish', 'target.published'],
  ['router.remove', 'target.removed'],
] as const)('%s', (kind, type) => {
  test('is done once Traefik was given what the instance is now, by whichever node', async () => {
    await using t = await setUp();
    const seq = await t.seqOf(5001);
    await t.sights.save({ seq: seq - 1, at: Date.now() });
    let isDone = false;

    const call = t.perform(kind).finally(() => {
      isDone = true;
    });
    await until(() => t.asked() > 2, { what: 'the third look' });
    const wasDone = isDone;
    await t.sights.save({ seq, at: Date.now() });

    expect(await call).toEqual({ type, opId: '7' });
    expect(wasDone).toBe(false);
  });

  test('needs no later steps of others', async () => {
    await using t = await setUp();
    await t.sights.save({ seq: await t.seqOf(5001), at: Date.now() });

    expect(await t.perform(kind)).toEqual({ type, opId: '7' });
    await expect(t.perform(kind, 5002)).rejects.toMatchObject({ reason: 'router_silent' });
  });

  test('fails if Traefik does not ask, or was never seen', async () => {
    await using t = await setUp();
    const silent = { reason: 'router_silent', retryable: true };

    await expect(t.perform(kind)).rejects.toMatchObject(silent);
    await expect(t.perform(kind, 5999)).rejects.toMatchObject(silent);
    await t.sights.save({ seq: (await t.seqOf(5001)) - 1, at: Date.now() });
    await expect(t.perform(kind)).rejects.toMatchObject(silent);
  });

  test('ends when it is called off', async () => {
    await using t = await setUp();
    const called = new AbortController();

    const call = t.perform(kind, 5001, called.signal);
    call.catch(() => undefined);
    await until(() => t.asked() > 0, { what: 'the first look' });
    called.abort();

    await expect(call).rejects.toMatchObject({ name: 'AbortError' });
  });
});
