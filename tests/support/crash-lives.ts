import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';

import type { Answer, CrashClient } from './crash-client.ts';
import { until } from './until.ts';

/** The lightest of each type: a game that is one small server, a runtime that is a file. */
const GAME = {
  ctype: 'game',
  game: 'terraria',
  variant: 'vanilla',
  version: '1.4.4',
  memoryMiB: 512,
};
const DEV = { ctype: 'dev', runtime: 'node', version: '24', memoryMiB: 512 };
const WAIT = { prefer: 'wait=30' };
const LOOK_MS = 200;
const GIVE_UP_MS = 120_000;
/** A node looks at the journal once a second, also if nobody tells it of a change. */
const HEARD_MS = 10_000;

/**
 * `whole`: ordered, ready, deleted. `powered`: the same, stopped, started and restarted before it
 * is deleted. `kept`: ordered, ready, and left alone. `cut`: deleted in the
 * middle of provisioning. `forgotten`: ordered without an idempotency key by somebody who does
 * not ask again when the answer is lost.
 */
export type LifeKind = 'whole' | 'powered' | 'kept' | 'cut' | 'forgotten';

export interface LifePlan {
  readonly kind: LifeKind;
  /** Of a `cut` life: how long after the answer to the order. */
  readonly cutAfterMs?: number;
}

export interface Life {
  readonly kind: LifeKind;
  /** null: the answer to the order was lost and nobody asked again. */
  readonly vmid: number | null;
  readonly end: 'ready' | 'deleted' | 'lost';
  readonly tookMs: number;
}

/** @throws Error if it does not end as it should */
export async function live(client: CrashClient, plan: LifePlan): Promise<Life> {
  const { kind, cutAfterMs = 0 } = plan;
  const at = performance.now();
  const vmid = await order(client, kind);
  const life = (end: Life['end']) => ({ kind, vmid, end, tookMs: performance.now() - at });
  if (vmid === null) return life('lost');
  if (kind === 'cut') {
    await delay(cutAfterMs);
  } else {
    await becomeReady(client, vmid);
    if (kind === 'kept') return life('ready');
    if (kind === 'powered') {
      for (const verb of ['stop', 'start', 'restart'] as const) await power(client, vmid, verb);
    }
  }
  await remove(client, vmid);
  return life('deleted');
}

async function order(client: CrashClient, kind: LifeKind): Promise<number | null> {
  const body = kind === 'cut' || kind === 'forgotten' ? DEV : GAME;
  const request = { method: 'POST', path: '/api/instances', body } as const;
  if (kind === 'forgotten') {
    const answer = await client.askOnce(request);
    if (answer === null || answer.status === 503) return null;
    expectStatus(answer, [200, 202], 'ordering');
    return Number(answer.body.vmid);
  }
  const key = { 'idempotency-key': randomUUID() };
  const headers = kind === 'cut' ? key : { ...key, ...WAIT };
  const answer = await client.ask({ ...request, headers });
  expectStatus(answer, [200, 202], 'ordering');
  return Number(answer.body.vmid);
}

export async function becomeReady(client: CrashClient, vmid: number): Promise<void> {
  const deadline = performance.now() + GIVE_UP_MS;
  const path = `/api/servers/${vmid}/status`;
  for (;;) {
    const { status, body } = await client.ask({ method: 'GET', path });
    if (status !== 200) throw new Error(`${vmid} on its way to ready answers ${status}`);
    if (body.agentReady === true && body.status === 'running') return;
    if (body.status === 'error') throw new Error(`${vmid} failed: ${JSON.stringify(body)}`);
    if (performance.now() > deadline) throw new Error(`${vmid} is not ready: ${body.status}`);
    await delay(LOOK_MS);
  }
}

/** @throws Error unless the operation that was accepted ends, and well. */
export async function power(
  client: CrashClient,
  vmid: number,
  verb: 'start' | 'stop' | 'restart',
): Promise<void> {
  const deadline = performance.now() + GIVE_UP_MS;
  const path = `/api/servers/${vmid}/host/${verb}`;
  const headers = { ...WAIT, 'idempotency-key': randomUUID() };
  for (;;) {
    const { status, body } = await client.ask({ method: 'POST', path, headers });
    expectStatus({ status, body }, [200, 202], `${verb} of ${vmid}`);
    const { state } = body.operation;
    if (state === 'succeeded') return;
    if (state !== 'running' || performance.now() > deadline) {
      throw new Error(`${verb} of ${vmid} ends as ${JSON.stringify(body.operation)}`);
    }
  }
}

export async function remove(client: CrashClient, vmid: number): Promise<void> {
  const deadline = performance.now() + GIVE_UP_MS;
  const path = `/api/containers/${vmid}?force=true`;
  for (;;) {
    const answer = await client.ask({ method: 'DELETE', path, headers: WAIT });
    expectStatus(answer, [200, 202], `deleting ${vmid}`);
    if (answer.status !== 202) break;
    if (performance.now() > deadline) throw new Error(`${vmid} is not deleted`);
  }
  // Another node answers from its memory, and hears of the deletion a moment later.
  const look = { method: 'GET', path: `/api/servers/${vmid}/status` } as const;
  await until(async () => (await client.ask(look)).status === 404, {
    what: `the deletion of ${vmid} to be known everywhere`,
    timeoutMs: HEARD_MS,
  });
}

function expectStatus({ status, body }: Answer, wanted: readonly number[], doing: string): void {
  if (wanted.includes(status)) return;
  throw new Error(`${doing} was answered with ${status}: ${JSON.stringify(body)}`);
}

/** Lives as many at once as `atOnce` says; the first that goes wrong ends it. */
export async function liveAll(
  client: CrashClient,
  plans: Iterable<LifePlan>,
  atOnce: number,
): Promise<Life[]> {
  const lives: Life[] = [];
  const queue = plans[Symbol.iterator]();
  async function work(): Promise<void> {
    for (let next = queue.next(); !next.done; next = queue.next()) {
      lives.push(await live(client, next.value));
    }
  }
  const results = await Promise.allSettled(Array.from({ length: atOnce }, work));
  const failed = results.filter((result) => result.status === 'rejected');
  if (failed.length > 0) throw new AggregateError(failed.map(({ reason }) => reason));
  return lives;
}
