import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { type Opnsense, startOpnsense } from '../../lab/opnsense/server.ts';
import type { HttpFault } from '../../lab/stand-in.ts';
import {
  createOpnsenseClient,
  type OpnsenseClient,
  type OpnsenseClientOptions,
} from '../../src/clients/opnsense/client.ts';
import { until } from '../support/until.ts';

type Kind = HttpFault extends infer F
  ? F extends unknown
    ? Omit<F, 'method' | 'path'>
    : never
  : never;

const VERBS = {
  read: { method: 'GET', path: /\/searchRule$/ },
  put: { method: 'POST', path: /\/setRule\// },
  remove: { method: 'POST', path: /\/delRule\// },
  apply: { method: 'POST', path: /\/apply$/ },
} as const;
type Verb = keyof typeof VERBS;

const description = 'zpack:5001/1';
const wanted = { description, protocol: 'udp', port: 28_015, targetIp: '10.0.3.7' } as const;
const rust = { ...wanted, targetPort: 28_015 };
/** Somebody else's, who keeps the same port for something at home. */
const foreign = {
  ...{ interface: 'wan', protocol: 'udp', descr: 'the NAS', target: '10.0.0.2' },
  ...{ destination: { network: 'wanip', port: '28015' }, 'local-port': '5000' },
};

let stack: AsyncDisposableStack;
let opnsense: Opnsense;
let client: OpnsenseClient;

beforeEach(async () => {
  stack = new AsyncDisposableStack();
  const dataDir = await mkdtemp(join(tmpdir(), 'zpack-opnsense-'));
  stack.defer(() => rm(dataDir, { recursive: true, force: true }));
  opnsense = stack.use(await startOpnsense({ dataDir }));
  client = stack.use(connect());
});
afterEach(() => stack.disposeAsync());

function connect(options: Partial<OpnsenseClientOptions> = {}): OpnsenseClient {
  const { url, key, secret } = opnsense;
  return createOpnsenseClient({ baseUrl: url, key, secret, timeoutMs: 5_000, ...options });
}

const plan = (verb: Verb, kind: Kind) =>
  opnsense.faults.plan({ ...kind, ...VERBS[verb] } as HttpFault);
const sent = (verb: Verb) =>
  opnsense.requests().filter(({ path }) => VERBS[verb].path.test(path)).length;
const ports = () => opnsense.active().map((one) => one['destination.port']);

describe('a forward of ours', () => {
  test('is in effect, and gone again; each twice is once', async () => {
    const opened = [await client.ensureForward(rust), await client.ensureForward(rust)];
    const active = [...opnsense.active()];
    const found = await client.listForwards();
    const removed = [await client.removeForwards(rust), await client.removeForwards(rust)];

    expect(opened).toEqual(['created', 'unchanged']);
    expect(active).toMatchObject([
      { ...{ interface: 'wan', 'destination.network': 'wanip', pass: 'pass', disabled: '0' } },
    ]);
    const place = { protocol: 'udp', port: '28015', targetIp: '10.0.3.7', targetPort: '28015' };
    expect(found).toEqual([expect.objectContaining({ description, isEnabled: true, ...place })]);
    expect(removed).toEqual([1, 0]);
    expect([sent('put'), sent('remove')]).toEqual([1, 1]);
    expect([opnsense.records(), opnsense.active()]).toEqual([[], []]);
  });

  test('is turned to another target, in place', async () => {
    await client.ensureForward(rust);

    const outcome = await client.ensureForward({ ...rust, targetIp: '10.0.3.8' });

    expect(outcome).toBe('replaced');
    expect(opnsense.active()).toMatchObject([{ target: '10.0.3.8' }]);
  });

  test('that was made or switched off by hand is taken over', async () => {
    opnsense.addByHand({ ...foreign, descr: description, disabled: '1' });

    expect(await client.ensureForward(rust)).toBe('replaced');
    expect(opnsense.active()).toMatchObject([{ disabled: '0', target: '10.0.3.7' }]);
  });

  test('may have several ports, which are removed together', async () => {
    await client.ensureForward(rust);
    await client.ensureForward({ ...rust, port: 28_016 });
    await client.ensureForward({ ...rust, protocol: 'tcp' });
    await client.ensureForward({ ...rust, description: 'zpack:5002/1', port: 28_017 });

    expect(await client.removeForwards({ description })).toBe(3);
    expect(ports()).toEqual(['28017']);
  });

  test('of many who make it at once is one rule, and they share the reloads', async () => {
    const held = plan('apply', { kind: 'delay', ms: 100 });

    const outcomes = await Promise.all(Array.from({ length: 8 }, () => client.ensureForward(rust)));

    expect(outcomes).toContain('created');
    expect(held.fired).toBe(1);
    expect(ports()).toEqual(['28015']);
    expect(opnsense.records()).toHaveLength(1);
    expect(sent('apply')).toBeLessThan(8);
  });

  test('is the same after a restart of the firewall', async () => {
    const dataDir = await mkdtemp(join(tmpdir(), 'zpack-opnsense-'));
    stack.defer(() => rm(dataDir, { recursive: true, force: true }));
    opnsense = await startOpnsense({ dataDir });
    await stack.use(connect()).ensureForward(rust);
    await opnsense[Symbol.asyncDispose]();

    opnsense = stack.use(await startOpnsense({ dataDir }));

    expect(await stack.use(connect()).ensureForward(rust)).toBe('unchanged');
    expect(ports()).toEqual(['28015']);
  });

  test('on one of many pages is found, and those of the firewall itself are left out', async () => {
    for (let port = 1; port <= 12; port += 1)
      opnsense.addByHand({ ...foreign, destination: { port: String(port) } });
    await client.ensureForward(rust);
    const small = stack.use(connect({ pageSize: 5 }));
    const before = sent('read');

    const found = await small.listForwards();

    expect(found).toHaveLength(13);
    expect(sent('read') - before).toBe(3);
    expect(found.map(({ id }) => id).join()).not.toContain('lockout');
    expect(await small.ensureForward(rust)).toBe('unchanged');
  });
});

describe('a forward of somebody else', () => {
  test.each([
    ['of the same port', {}],
    ['of a range with it', { destination: { port: '28000-28100' } }],
    ['of both protocols', { protocol: 'TCP/UDP' }],
    ['of any protocol, everywhere', { protocol: '', interface: '' }],
    ['of another container of ours', { descr: 'zpack:5001/0' }],
  ])('%s is in the way, and stays', async (_, difference) => {
    opnsense.addByHand({ ...foreign, ...difference });

    const refused = client.ensureForward(rust);

    await expect(refused).rejects.toMatchObject({ reason: 'forward_foreign', retryable: false });
    expect(await client.removeForwards(rust)).toBe(0);
    expect(opnsense.records()).toHaveLength(1);
  });

  test.each([
    ['switched off', { disabled: '1' }],
    ['of another protocol', { protocol: 'tcp' }],
    ['at another interface', { interface: 'lan' }],
    ['of a range beside it', { destination: { port: '28016-28100' } }],
  ])('%s is not in the way', async (_, difference) => {
    opnsense.addByHand({ ...foreign, ...difference });

    expect(await client.ensureForward(rust)).toBe('created');
    expect(await client.removeForwards(rust)).toBe(1);
    expect(opnsense.records()).toMatchObject([{ descr: 'the NAS' }]);
  });

  test('cannot be meant by no description', async () => {
    const nobody = { ...rust, description: ' ' };

    await expect(client.ensureForward(nobody)).rejects.toMatchObject({ code: 'invalid_input' });
    await expect(client.removeForwards(nobody)).rejects.toMatchObject({ code: 'invalid_input' });

    expect(opnsense.requests()).toEqual([]);
  });
});

describe('when an answer is lost', () => {
  test.each<Verb>(['put', 'apply'])('to a %s, the next attempt finds it done', async (verb) => {
    const fault = plan(verb, { kind: 'drop_after' });

    const lost = client.ensureForward(rust);

    await expect(lost).rejects.toMatchObject({ reason: 'no_answer', retryable: true });
    expect(await client.ensureForward(rust)).toBe('unchanged');
    expect([fault.fired, sent('put'), opnsense.records().length]).toEqual([1, 1, 1]);
    expect(ports()).toEqual(['28015']);
  });

  test('what was saved but never applied is applied by the next attempt', async () => {
    const onOpen = plan('apply', { kind: 'drop_before' });
    await expect(client.ensureForward(rust)).rejects.toMatchObject({ retryable: true });
    expect(ports()).toEqual([]);

    await client.ensureForward(rust);
    expect(ports()).toEqual(['28015']);
    const onClose = plan('apply', { kind: 'drop_before' });
    await expect(client.removeForwards(rust)).rejects.toMatchObject({ retryable: true });
    expect(await client.removeForwards(rust)).toBe(0);

    expect([onOpen.fired, onClose.fired]).toEqual([1, 1]);
    expect(ports()).toEqual([]);
  });

  test('to a removal, the next attempt finds it done', async () => {
    await client.ensureForward(rust);
    const fault = plan('remove', { kind: 'drop_after' });

    await expect(client.removeForwards(rust)).rejects.toMatchObject({ reason: 'no_answer' });

    expect(await client.removeForwards(rust)).toBe(0);
    expect([fault.fired, ports()]).toEqual([1, []]);
  });
});

test.each<[string, Kind, string, boolean]>([
  ['an error of its own', { kind: 'status', status: 500, text: '{}' }, 'server_failed', true],
  ['something unreadable', { kind: 'garbage' }, 'answer_unreadable', true],
  ['more than we take', { kind: 'huge' }, 'answer_too_large', false],
  ['nothing', { kind: 'hang' }, 'timed_out', true],
])('an answer that is %s is a typed failure', async (_, kind, reason, retryable) => {
  const hasty = stack.use(connect({ timeoutMs: kind.kind === 'hang' ? 300 : 5_000 }));

  for (const verb of ['read', 'put', 'apply'] as const) {
    const fault = plan(verb, kind);
    await expect(hasty.ensureForward(rust)).rejects.toMatchObject({ reason, retryable });
    expect(fault.fired).toBe(1);
  }

  expect(await client.ensureForward(rust)).toBe('unchanged');
});

test.each<[string, Verb, object, string, boolean]>([
  ['a reload that fails', 'apply', { status: 'Execute error' }, 'apply_failed', true],
  ['a refusal without a word', 'put', { result: 'failed' }, 'refused', false],
])('%s is a typed failure at status 200', async (_, verb, body, reason, retryable) => {
  const fault = plan(verb, { kind: 'status', status: 200, text: JSON.stringify(body) });

  await expect(client.ensureForward(rust)).rejects.toMatchObject({ reason, retryable });

  expect(fault.fired).toBe(1);
});

test('what is wrong with a forward is in the cause', async () => {
  const refusal = await client
    .ensureForward({ ...rust, targetIp: '10.0.3.300', targetPort: 70_000 })
    .catch((error: unknown) => error);

  expect(refusal).toMatchObject({ reason: 'invalid_parameters', retryable: false });
  expect(String((refusal as Error).cause)).toMatch(
    /rule\.target: .*rule\.local-port|rule\.local-port: .*rule\.target/,
  );
  expect(opnsense.records()).toEqual([]);
});

test('too many requests are a failure that says when to come back', async () => {
  opnsense.limit({ requestsMax: 0, windowMs: 60_000 });

  await expect(client.listForwards()).rejects.toMatchObject({
    ...{ reason: 'rate_limited', retryable: true, details: { retryAfterMs: 60_000 } },
  });
});

test('a wrong key is refused, and is in no error', async () => {
  const stranger = stack.use(connect({ key: 'wr0ng-key', secret: 'wr0ng-secret' }));

  const error = await stranger.ensureForward(rust).catch((refused: unknown) => refused);

  expect(error).toMatchObject({ reason: 'unauthenticated', retryable: false });
  const basic = Buffer.from('wr0ng-key:wr0ng-secret').toString('base64');
  expect(inspect(error, { depth: 9 })).not.toMatch(new RegExp(`wr0ng|${basic}`));
  expect(await stranger.check()).toMatchObject({ ok: false, reason: 'unauthenticated' });
  expect(await client.check()).toMatchObject({ ok: true, latencyMs: expect.any(Number) });
});

test('who gives up while a reload runs need not wait for it', async () => {
  const fault = plan('apply', { kind: 'hang' });
  const caller = new AbortController();
  const gone = new Error('the worker ends');

  const pending = client.ensureForward(rust, { signal: caller.signal });
  pending.catch(() => undefined);
  await until(() => fault.fired === 1, { what: 'the reload' });
  caller.abort(gone);

  await expect(pending).rejects.toBe(gone);
  await opnsense[Symbol.asyncDispose]();
});
