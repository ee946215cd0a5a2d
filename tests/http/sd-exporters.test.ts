import { afterAll, expect, test } from 'vitest';

import { ADMIN, ALICE, createClient, startTestApp } from '../support/app.ts';
import { until } from '../support/until.ts';

const PATH = '/sd/exporters';
const TOKEN = 'a token for Prometheus';

const app = await startTestApp({ environment: { PROM_SD_TOKEN: TOKEN } });
afterAll(() => app[Symbol.asyncDispose]());
const alice = await app.signIn(ALICE);
const discover = (token: string) => createClient(app.url, token).call('GET', PATH);

const WAIT = { prefer: 'wait=20' };
const GAME = { ctype: 'game', game: 'terraria', version: '1.4.4', memoryMiB: 512 };
const DEV = { ctype: 'dev', runtime: 'node', version: '24', memoryMiB: 512 };

test('names the exporter of every container that is on, and of no other', async () => {
  const [game, dev] = await Promise.all(
    [GAME, DEV].map((body) => alice.call('POST', '/api/instances', { body, headers: WAIT })),
  );
  const statusOf = async (vmid: number) =>
    (await alice.call('GET', `/api/servers/${vmid}/status`)).body;
  const { ip, node, name } = await statusOf(game?.body.vmid);

  const both = await discover(TOKEN);
  await alice.call('POST', `/api/servers/${dev?.body.vmid}/host/stop`, { headers: WAIT });
  await until(async () => (await statusOf(dev?.body.vmid)).powerState === 'stopped', {
    what: 'the dev container to be off',
  });
  const one = await discover(TOKEN);

  expect(both.status).toBe(200);
  // Prometheus takes no other.
  expect(both.headers.get('content-type')).toMatch(/^application\/json; ?charset=utf-8$/);
  const labelsOf = (answer: typeof both) =>
    answer.body.map(({ labels }: { labels: { vmid: string } }) => Number(labels.vmid));
  expect(labelsOf(both)).toEqual([game?.body.vmid, dev?.body.vmid]);
  expect(one.body).toEqual([
    {
      targets: [`${ip}:9100`],
      labels: {
        vmid: String(game?.body.vmid),
        customerId: ALICE,
        ctype: 'game',
        hostname: name,
        node,
        game: 'terraria',
        variant: 'vanilla',
      },
    },
  ]);
  expect(both.body[1].labels).toMatchObject({ ctype: 'dev', runtime: 'node' });
});

test('is refused without its token, also to administrators', async () => {
  const admin = await app.signIn(ADMIN);

  for (const token of ['', 'wrong', `${TOKEN} `.repeat(2), TOKEN.slice(1), admin.token]) {
    const answer = await discover(token);
    expect(answer).toMatchObject({ status: 401, body: { error: 'unauthenticated' } });
    expect(answer.headers.get('www-authenticate')).toBe('Bearer');
  }
});

test('is not there unless it is configured', async () => {
  await using node = await app.startNode({ ROLE: 'api', PROM_SD_TOKEN: '' });

  const answer = await createClient(node.url ?? '', TOKEN).call('GET', PATH);

  expect(answer).toMatchObject({ status: 404, body: { error: 'not_found' } });
});

test('is documented with a token of its own', async () => {
  const { body } = await app.anonymous.call('GET', '/api/openapi.json');

  expect(body.paths[PATH].get.security).toEqual([{ ownToken: [] }]);
});
