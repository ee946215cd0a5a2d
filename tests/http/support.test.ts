import { afterAll, describe, expect, test } from 'vitest';

import { startMailSink } from '../../lab/mail/sink.ts';
import { temporaryFolder } from '../lab/proxmox-world.ts';
import { ADMIN, ALICE, createClient, startTestApp } from '../support/app.ts';
import { until } from '../support/until.ts';

await using opened = new AsyncDisposableStack();
const folder = opened.use(await temporaryFolder());
const sink = opened.use(await startMailSink({ dataDir: folder.path }));
const app = opened.use(
  await startTestApp({
    environment: {
      SMTP_HOST: sink.host,
      SMTP_PORT: String(sink.port),
      SMTP_USER: sink.user,
      SMTP_PASS: sink.password,
      SMTP_CA_FILE: sink.caFile,
      SUPPORT_ADDRESS: 'help@zpack.test',
      TRUSTED_PROXIES: 'loopback',
    },
  }),
);
const closing = opened.move();
afterAll(() => closing.disposeAsync());
const [alice, admin] = [await app.signIn(ALICE), await app.signIn(ADMIN)];

const PATH = '/api/support/create';
const ADMIN_PATH = '/api/admin/mails';
const BODY = { name: 'Eve', email: 'eve@zpack.test', subject: 'Help', message: 'It is <b>off</b>' };
const write = (body: object, headers: Record<string, string> = {}) =>
  app.anonymous.call('POST', PATH, { body, headers });
const subjects = () => sink.mails().map(({ subject }) => subject);
const listed = async (query = '') => (await admin.call('GET', `${ADMIN_PATH}${query}`)).body;

test('what anybody writes reaches support, which can answer', async () => {
  const answer = await write(BODY);
  await until(() => sink.mails().length === 1, { what: 'the mail to arrive' });

  expect([answer.status, answer.body]).toEqual([200, { ok: true }]);
  const [mail] = sink.mails();
  expect(mail).toMatchObject({ to: ['help@zpack.test'], subject: '[Support] Help' });
  expect(mail?.headers).toMatchObject({
    from: 'ZeroLag Hub Support <support@zerolaghub.com>',
    'reply-to': 'Eve <eve@zpack.test>',
  });
  expect(mail?.text).toContain('> It is <b>off</b>');
  expect(mail?.html).toContain('It is &lt;b&gt;off&lt;/b&gt;');
});

test('a request that is sent again under its Idempotency-Key is one mail, for its own words', async () => {
  const headers = { 'idempotency-key': 'k' };
  const one = { ...BODY, email: 'one@zpack.test', subject: 'One' };
  const other = { ...one, subject: 'Other' };

  const answers = [
    await write(one, headers),
    await write(one, headers),
    await write(other, headers),
  ];
  await until(() => subjects().includes('[Support] Other'), { what: 'the last mail' });
  await until(() => subjects().includes('[Support] One'), { what: 'the first mail' });

  expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
  expect(subjects().filter((subject) => subject === '[Support] One')).toHaveLength(1);
});

test.each([
  ['no name', { ...BODY, name: '  ' }],
  ['no address', { ...BODY, email: 'eve' }],
  ['a subject without end', { ...BODY, subject: 'x'.repeat(201) }],
  ['a message without end', { ...BODY, message: 'x'.repeat(10_001) }],
  ['nothing', {}],
])('%s is refused', async (_, body) => {
  expect(await write(body)).toMatchObject({ status: 400, body: { error: 'invalid_input' } });
});

test('whoever writes too often is asked to wait', async () => {
  const body = { ...BODY, email: 'flood@zpack.test' };
  const statuses: number[] = [];
  for (let n = 0; n < 5; n += 1) statuses.push((await write(body)).status);

  const refused = await write({ ...body, email: 'Flood@zpack.test' });
  await until(() => sink.mails().length === 8, { what: 'the others to arrive' });

  expect(statuses).toEqual(Array(5).fill(200));
  expect(refused).toMatchObject({ status: 429, body: { error: 'limit_exceeded' } });
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
});

test('whoever writes under many addresses is asked to wait as well, and nobody else', async () => {
  const from = (ip: string) => ({ 'x-forwarded-for': ip });
  const statuses: number[] = [];
  for (let n = 0; n < 51; n += 1) {
    const body = { ...BODY, email: `many${n}@zpack.test` };
    statuses.push((await write(body, from('203.0.113.1'))).status);
  }

  const other = await write({ ...BODY, email: 'else@zpack.test' }, from('203.0.113.2'));
  await using node = await app.startNode({ ROLE: 'api' });
  const elsewhere = await createClient(node.url ?? '', '').call('POST', PATH, {
    ...{ body: BODY, headers: from('203.0.113.1') },
  });
  await until(() => sink.mails().length === 59, { what: 'all of them to arrive' });

  expect(statuses).toEqual([...Array<number>(50).fill(200), 429]);
  expect([other.status, elsewhere.status]).toEqual([200, 429]);
});

describe('administrators', () => {
  test('alone see which mails were sent', async () => {
    expect((await alice.call('GET', ADMIN_PATH)).status).toBe(403);
    expect((await app.anonymous.call('GET', ADMIN_PATH)).status).toBe(401);
    expect((await admin.call('GET', `${ADMIN_PATH}?state=lost`)).status).toBe(400);
  });

  test('see what came back, and nothing of what a mail says', async () => {
    const isDone = async () => (await listed('?state=sent')).mails.length === sink.mails().length;
    await until(isDone, { what: 'all mails before to be sent' });
    const fault = sink.faults.plan({ kind: 'refuse_recipient', code: 550, text: '5.1.1 nobody' });
    await write({ ...BODY, email: 'last@zpack.test', message: 'a secret' });
    const bounced = async () => (await listed('?state=bounced')).mails;
    await until(async () => (await bounced()).length === 1, { what: 'the mail to come back' });

    const [mail] = await bounced();
    const all = await listed();
    const older = await listed(`?after=${mail.id}`);

    expect(fault.fired).toBe(1);
    expect(mail).toEqual({
      ...{ id: expect.any(String), kind: 'support_request', recipient: 'help@zpack.test' },
      ...{ state: 'bounced', attempts: 1, transport: null },
      ...{ error: 'smtp: recipient_refused 550 5.1.1', createdAt: expect.any(String) },
      ...{ dueAt: expect.any(String), finishedAt: expect.any(String) },
    });
    expect(JSON.stringify(all)).not.toContain('secret');
    expect(all.next).toBeNull();
    expect(all.mails[0].id).toBe(mail.id);
    expect(older.mails).toHaveLength(all.mails.length - 1);
  });
});
