import { describe, expect, test } from 'vitest';

import { startRouter } from '../../lab/router/router.ts';
import { until } from '../support/until.ts';
import {
  MINECRAFT,
  NOTHING,
  type ReachableApp,
  startReachableApp,
  TERRARIA,
} from './edge-world.ts';

const TIMEOUT = { timeout: 150_000 };
/** For outages in which nothing hangs: whoever is only slow has not failed. */
const PATIENT = { EDGE_TIMEOUT_MS: '15000' };
const NAMES = {
  cloudflare: 'public_dns',
  technitium: 'internal_dns',
  opnsense: 'forward',
} as const;

interface Planned {
  readonly fired: number;
}

/** One third party: how to break a call to it, and what has to be published for it to be made. */
interface Party {
  readonly name: 'cloudflare' | 'technitium' | 'opnsense' | 'velocity';
  readonly publish: { readonly method: 'POST' | 'GET'; readonly path: RegExp };
  readonly remove: { readonly method: 'POST' | 'DELETE'; readonly path: RegExp };
  readonly order: object;
  readonly instances: number;
  /** What it has of each instance that is published. */
  readonly marks: number;
}

const PARTIES: readonly Party[] = [
  {
    name: 'cloudflare',
    publish: { method: 'POST', path: /dns_records$/ },
    remove: { method: 'DELETE', path: /dns_records/ },
    order: TERRARIA,
    instances: 3,
    marks: 2,
  },
  {
    name: 'technitium',
    publish: { method: 'POST', path: /records\/add$/ },
    remove: { method: 'POST', path: /records\/delete$/ },
    order: TERRARIA,
    instances: 3,
    marks: 2,
  },
  {
    name: 'opnsense',
    publish: { method: 'POST', path: /setRule/ },
    remove: { method: 'POST', path: /delRule/ },
    order: TERRARIA,
    instances: 3,
    marks: 1,
  },
  {
    name: 'velocity',
    publish: { method: 'POST', path: /\/zpack\/register$/ },
    remove: { method: 'POST', path: /\/zpack\/unregister$/ },
    order: MINECRAFT,
    instances: 2,
    marks: 1,
  },
];

/**
 * Once each, first those by which nothing is done, so that what is done after one of the others
 * leaves none of them unused. The apps of these tests wait a second for an answer.
 */
const FAULTS = [
  { kind: 'status', status: 500, text: '{"error":"oops"}' },
  { kind: 'status', status: 429, text: '{"error":"slow down"}', headers: { 'retry-after': '1' } },
  { kind: 'drop_before' },
  { kind: 'hang' },
  { kind: 'drop_after' },
  { kind: 'delay', ms: 600 },
] as const;

const plan = (t: ReachableApp, { name }: Party, fault: object): Planned =>
  t.edge[name].faults.plan(fault as never);

const planAll = (t: ReachableApp, party: Party, at: Party['publish'] | Party['remove']) =>
  FAULTS.map((fault) => ({ ...fault, planned: plan(t, party, { ...at, ...fault }) }));

const fired = (planned: ReturnType<typeof planAll>) =>
  planned.map(({ kind, planned: { fired: times } }) => `${kind} ${times}`);

const EACH_ONCE = FAULTS.map(({ kind }) => `${kind} 1`);

// biome-ignore lint/suspicious/noExplicitAny: as in edge-world.ts
const isWhole = ({ edge, proxy }: any) =>
  edge.state === 'published' && (proxy === null || proxy.address !== null);

describe.concurrent('the edge', () => {
  test.each(PARTIES)(
    'is published and removed whatever $name answers, once each way',
    TIMEOUT,
    async (party) => {
      await using t = await startReachableApp();
      const publishing = planAll(t, party, party.publish);
      const vmids = await Promise.all(
        Array.from({ length: party.instances }, () => t.order(party.order)),
      );
      const all = await Promise.all(
        vmids.map((vmid) => t.statusWhen(vmid, isWhole, 'its publication', 60_000)),
      );
      const traces = all.map(({ name }) => t.traces(name)[party.name].length);
      const broken = fired(publishing);
      const removing = planAll(t, party, party.remove);
      await Promise.all(vmids.map((vmid) => t.remove(vmid)));
      await until(async () => (await t.debts()).length === 0, {
        what: 'the debts',
        timeoutMs: 60_000,
      });

      expect(broken).toEqual(EACH_ONCE);
      expect(new Set(traces)).toEqual(new Set([party.marks]));
      expect(fired(removing)).toEqual(EACH_ONCE);
      for (const { name } of all) expect(t.traces(name)).toEqual(NOTHING);
    },
  );

  test.each(PARTIES)(
    'says what $name lacks while it is down, owes what it keeps, and is whole when it is back',
    TIMEOUT,
    async (party) => {
      await using t = await startReachableApp(PATIENT);
      const down = { kind: 'drop_before', times: 10_000 };
      const outage = plan(t, party, { ...party.publish, ...down });
      const vmid = await t.order(party.order);
      const short = await t.statusWhen(
        vmid,
        ({ edge }) => edge.state === 'degraded',
        'its lack',
        60_000,
      );
      t.edge[party.name].faults.clear();
      const { name } = await t.statusWhen(vmid, isWhole, 'its publication', 60_000);
      const second = plan(t, party, { ...party.remove, ...down });
      await t.remove(vmid);
      const owed = await t.debts();
      const kept = t.traces(name)[party.name].length;
      t.edge[party.name].faults.clear();
      await until(async () => (await t.debts()).length === 0, {
        what: 'the debt to be paid',
        timeoutMs: 60_000,
      });

      expect(outage.fired).toBeGreaterThan(0);
      expect(lackOf(short, party)).toMatchObject({ code: 'no_answer' });
      expect(second.fired).toBeGreaterThan(0);
      expect(owed).toEqual([{ kind: kindOf(party), code: 'no_answer' }]);
      expect(kept).toBeGreaterThan(0);
      expect(t.traces(name)).toEqual(NOTHING);
    },
  );
});

test.concurrent(
  'a router that does not ask is lacking, owed, and whole when it asks again',
  TIMEOUT,
  async () => {
    await using t = await startReachableApp(PATIENT);
    const again = async () => {
      const token = t.edge.environment['TRAEFIK_TOKEN'] ?? '';
      const url = `${t.app.url}/internal/traefik/dynamic`;
      return startRouter({ url, token, entryPoints: {}, pollMs: 100 });
    };
    await t.edge.router[Symbol.asyncDispose]();
    const vmid = await t.order(TERRARIA);
    const short = await t.statusWhen(
      vmid,
      ({ edge }) => edge.state === 'degraded',
      'its lack',
      60_000,
    );
    const [router] = short.edge.targets;
    {
      await using _ = await again();
      await t.statusWhen(vmid, isWhole, 'its publication', 60_000);
    }
    await t.remove(vmid);
    const owed = await t.debts();
    const reserved = async () =>
      (await t.app.database.pool.query('SELECT port FROM edge_port')).rows.length;
    const before = await reserved();
    await using _ = await again();
    await until(async () => (await t.debts()).length === 0, { what: 'the debt to be paid' });

    expect(router).toMatchObject({ state: 'failed', failure: { code: 'router_silent' } });
    expect(owed).toEqual([{ kind: 'router', code: 'router_silent' }]);
    expect(before).toBe(1);
    expect(await reserved()).toBe(0);
  },
);

const kindOf = ({ name }: Party) => (name === 'velocity' ? 'proxy' : NAMES[name]);

// biome-ignore lint/suspicious/noExplicitAny: as in edge-world.ts
function lackOf({ edge, proxy }: any, party: Party) {
  if (party.name === 'velocity') return proxy.failure;
  return edge.targets.find(({ kind }: { kind: string }) => kind === kindOf(party)).failure;
}
