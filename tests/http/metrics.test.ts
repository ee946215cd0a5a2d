import { afterAll, describe, expect, test } from 'vitest';

import { ALICE, createClient, startTestApp } from '../support/app.ts';
import { until } from '../support/until.ts';

const TOKEN = 'a token for Prometheus';

const app = await startTestApp({ environment: { METRICS_TOKEN: TOKEN, POLL_INTERVAL_MS: '50' } });
afterAll(() => app[Symbol.asyncDispose]());
const alice = await app.signIn(ALICE);
const prometheus = createClient(app.url, TOKEN);
const scrape = async () => String((await prometheus.call('GET', '/metrics')).body);

/** The sum of all samples of this name that have these labels. */
function numberOf(text: string, name: string, labels: Readonly<Record<string, string>> = {}) {
  const samples = text
    .split('\n')
    .filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `))
    .filter((line) => Object.entries(labels).every(([k, v]) => line.includes(`${k}="${v}"`)));
  const values = samples.map((line) => Number(line.slice(line.lastIndexOf(' '))));
  return values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0);
}

const ORDER = { ctype: 'game', game: 'terraria', version: '1.4.4', memoryMiB: 512 };

describe('GET /metrics', () => {
  test('tells of instances, steps, commits, polls, queues and what waits', async () => {
    const { body } = await alice.call('POST', '/api/instances', {
      body: ORDER,
      headers: { prefer: 'wait=20' },
    });
    expect(body.operation.state).toBe('succeeded');

    const text = await until(
      async () => {
        const found = await scrape();
        return (
          (numberOf(found, 'zpack_poll_seconds_count', { outcome: 'ready' }) ?? 0) > 0 && found
        );
      },
      { what: 'an agent to be polled', timeoutMs: 15_000 },
    );

    expect(numberOf(text, 'zpack_instances', { region: 'provisioning', state: 'ready' })).toBe(1);
    expect(numberOf(text, 'zpack_instances', { region: 'host', state: 'running' })).toBe(1);
    expect(numberOf(text, 'zpack_steps_total', { event: 'instance.created' })).toBe(1);
    expect(numberOf(text, 'zpack_steps_total', { event: 'container.cloned' })).toBe(1);
    // The first step is written by itself; all others are part of some commit.
    const steps = numberOf(text, 'zpack_steps_total') ?? 0;
    expect(numberOf(text, 'zpack_commit_steps_sum')).toBeGreaterThanOrEqual(steps - 1);
    expect(numberOf(text, 'zpack_commit_seconds_count')).toBeGreaterThan(0);
    expect(numberOf(text, 'zpack_commit_conflicts_total')).toBeGreaterThanOrEqual(0);
    for (const queue of ['effects-clone', 'timers', 'sweeps']) {
      expect(numberOf(text, 'zpack_queue_jobs', { queue, state: 'active' })).not.toBeNull();
    }
    expect(numberOf(text, 'zpack_timers')).not.toBeNull();
    expect(numberOf(text, 'zpack_timers_overdue')).not.toBeNull();
    expect(numberOf(text, 'zpack_effect_age_seconds')).not.toBeNull();
    expect(numberOf(text, 'zpack_debts')).toBe(0);
    expect(numberOf(text, 'process_resident_memory_bytes')).toBeGreaterThan(0);
  });

  test('counts requests by the pattern of their route, and strangers together', async () => {
    const count = async (labels: Record<string, string>) =>
      numberOf(await scrape(), 'zpack_http_request_seconds_count', labels) ?? 0;
    const one = { method: 'GET', route: '/api/servers/:id', status: '404' };
    const none = { route: 'unmatched', status: '404' };
    const before = [await count(one), await count(none)];

    for (const vmid of [5701, 5702, 5703]) await alice.call('GET', `/api/servers/${vmid}`);
    for (const path of ['/a', '/b']) await alice.call('GET', path);

    const text = await scrape();
    expect(await count(one)).toBe((before[0] ?? 0) + 3);
    expect(await count(none)).toBe((before[1] ?? 0) + 2);
    expect(text).not.toContain('5701');
  });

  test('leaves out what cannot be looked up, and says so', async () => {
    await app.database.pool.query('ALTER TABLE debt RENAME TO debt_elsewhere');

    const text = await until(
      async () => {
        const found = await scrape();
        const failed = numberOf(found, 'zpack_source_failures_total', { source: 'zpack_debts' });
        return (failed ?? 0) > 0 && found;
      },
      { what: 'the table to be missed', timeoutMs: 15_000 },
    );
    await app.database.pool.query('ALTER TABLE debt_elsewhere RENAME TO debt');

    expect(numberOf(text, 'zpack_debts')).toBeNull();
    expect(numberOf(text, 'zpack_queue_jobs')).not.toBeNull();
  });
});

describe('metrics are refused', () => {
  test('without the token', async () => {
    for (const token of ['', 'wrong', TOKEN.slice(1), alice.token]) {
      const answer = await createClient(app.url, token).call('GET', '/metrics');
      expect(answer).toMatchObject({ status: 401, body: { error: 'unauthenticated' } });
    }
  });

  test('where there is no token, to everybody but this machine', async () => {
    await using node = await app.startNode({ ROLE: 'api', METRICS_TOKEN: '' });
    const near = createClient(node.url ?? '', '');

    const direct = await near.call('GET', '/metrics');
    const answers = await Promise.all(
      ['X-Forwarded-For', 'Forwarded', 'Via'].map((name) =>
        near.call('GET', '/metrics', { headers: { [name]: '203.0.113.7' } }),
      ),
    );

    expect(direct.status).toBe(200);
    expect(direct.headers.get('content-type')).toContain('text/plain; version=0.0.4');
    for (const answer of answers) {
      expect(answer).toMatchObject({ status: 403, body: { error: 'forbidden' } });
    }
  });
});

describe('a process without API', () => {
  test('shows its metrics at a port of their own, and nothing else', async () => {
    await using node = await app.startNode({ ROLE: 'worker', METRICS_PORT: '0' });
    const page = createClient(node.metricsUrl ?? '', TOKEN);

    expect((await page.call('GET', '/metrics')).body).toContain('zpack_queue_jobs');
    expect(await page.call('GET', '/api/servers')).toMatchObject({
      status: 404,
      body: { error: 'not_found' },
    });
    expect((await createClient(node.metricsUrl ?? '', '').call('GET', '/metrics')).status).toBe(
      401,
    );
  });
});
