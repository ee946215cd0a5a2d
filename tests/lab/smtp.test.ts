import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { type IncomingMessage, request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { connect as connectTls } from 'node:tls';

import { afterAll, expect, test } from 'vitest';

import { startMailSink } from '../../lab/mail/sink.ts';
import { startResend } from '../../lab/resend/server.ts';
import { createSmtpTransport } from '../../src/clients/mail/smtp.ts';
import { temporaryFolder } from './proxmox-world.ts';

await using opened = new AsyncDisposableStack();
const folder = opened.use(await temporaryFolder());
const sink = opened.use(await startMailSink({ dataDir: folder.path }));
const closing = opened.move();
afterAll(() => closing.disposeAsync());

/** Says one line after the other, and returns the codes of what is answered. */
async function converse(socket: Socket, lines: readonly string[], { greets = true } = {}) {
  const codes: string[] = [];
  const answers = createInterface(socket)[Symbol.asyncIterator]();
  const hear = async () => {
    for (;;) {
      const { value = '' } = await answers.next();
      if (!/^\d{3}-/.test(value)) return value.slice(0, 3);
    }
  };
  if (greets) codes.push(await hear());
  for (const line of lines) {
    socket.write(`${line}\r\n`);
    codes.push(await hear());
  }
  return codes;
}

const plain = (user: string, password: string) =>
  `AUTH PLAIN ${Buffer.from(`\0${user}\0${password}`).toString('base64')}`;

async function startTls() {
  const raw = connect(sink.port, sink.host);
  const codes = await converse(raw, ['EHLO test', 'STARTTLS']);
  expect(codes).toEqual(['220', '250', '220']);
  raw.removeAllListeners('data').removeAllListeners('readable').resume().pause();
  const socket = connectTls({ socket: raw, ca: sink.ca, servername: 'localhost' });
  await once(socket, 'secureConnect');
  return socket;
}

test('without TLS nobody signs in, and without signing in nobody sends', async () => {
  const socket = connect(sink.port, sink.host);

  const codes = await converse(socket, [
    'EHLO test',
    plain(sink.user, sink.password),
    'MAIL FROM:<a@b.test>',
  ]);
  socket.destroy();

  expect(codes).toEqual(['220', '250', '538', '530']);
});

test('with TLS, whoever knows the password may send, and nobody else', async () => {
  const socket = await startTls();

  const codes = await converse(
    socket,
    [
      'EHLO test',
      'MAIL FROM:<a@b.test>',
      plain(sink.user, 'wrong'),
      plain('root', sink.password),
      plain(sink.user, sink.password),
      'MAIL FROM:<a@b.test>',
      'RCPT TO:<c@d.test>',
    ],
    { greets: false },
  );
  socket.destroy();

  expect(codes).toEqual(['250', '530', '535', '535', '235', '250', '250']);
});

async function send(subject: string, html: string) {
  const { host, port, user, password, ca } = sink;
  const from = 'Lab <lab@zpack.test>';
  const options = { host, port, user, password, ca, from, isSecure: false, timeoutMs: 5_000 };
  await createSmtpTransport(options).send(
    { id: 'm', to: 'alice@zpack.test', subject, text: 'plain', html, date: new Date() },
    { begin: async () => {} },
  );
}

test('a mail is kept as a file, told as JSON, and shown without being trusted', async () => {
  const evil = '"><script>alert(1)</script>';
  await send(evil, `<p>${evil}</p>`);

  const page = (path: string) => fetch(new URL(path, sink.page));
  const listed = (await (await page('/mails')).json()) as { id: string }[];
  const [mail] = listed;
  const one = await (await page(`/mails/${mail?.id}`)).json();
  const view = await page(`/view/${mail?.id}`);
  const shown = await view.text();

  expect(listed).toMatchObject([{ subject: evil, text: 'plain', to: ['alice@zpack.test'] }]);
  expect(one).toEqual(mail);
  expect((await page('/view/none')).status).toBe(404);
  expect(await (await page('/')).text()).not.toContain('<script>');
  expect(shown).not.toContain('<script>');
  expect(shown).toContain('<iframe sandbox srcdoc=');
  expect(view.headers.get('content-security-policy')).toContain("default-src 'none'");
  const files = await readdir(`${folder.path}/mails`);
  expect(await readFile(`${folder.path}/mails/${files[0]}`, 'utf8')).toContain('alice@zpack.test');
});

test('the page answers to no name but that of this machine', async () => {
  const asked = request(sink.page, { headers: { host: 'evil.test' } }).end();

  const [response] = await once(asked, 'response');

  expect((response as IncomingMessage).statusCode).toBe(403);
});

test('started again in its folder, it knows the same password and certificate', async () => {
  await using again = await startMailSink({ dataDir: folder.path });

  expect([again.password, again.ca]).toEqual([sink.password, sink.ca]);
  expect(again.port).not.toBe(sink.port);
});

const MAIL = { from: 'Lab <lab@zpack.test>', to: ['a@b.test'], subject: 's', text: 't' };

test.each([
  ['no key', { headers: { authorization: '' } }, 401, 'missing_api_key'],
  ['a wrong key', { headers: { authorization: 'Bearer re_x' } }, 403, 'invalid_api_key'],
  ['no name of a client', { headers: { 'user-agent': '' } }, 403, 'error'],
  ['no recipient', { body: { ...MAIL, to: [] } }, 422, 'validation_error'],
  ['no sender', { body: { ...MAIL, from: undefined } }, 422, 'missing_required_field'],
  ['no body', { body: { ...MAIL, text: undefined } }, 422, 'missing_required_field'],
  ['what is no address', { body: { ...MAIL, to: 'alice' } }, 422, 'validation_error'],
  [
    'too long a key of a request',
    { headers: { 'idempotency-key': 'x'.repeat(257) } },
    400,
    'invalid_idempotency_key',
  ],
] as const)('Resend refuses %s', async (_, given, status, name) => {
  await using resend = await startResend();
  const { headers = {}, body = MAIL } = given as { headers?: object; body?: object };

  const answer = await fetch(new URL('/emails', resend.url), {
    method: 'POST',
    headers: { authorization: `Bearer ${resend.apiKey}`, ...headers } as Record<string, string>,
    body: JSON.stringify(body),
  });

  expect(answer.status).toBe(status);
  expect(await answer.json()).toMatchObject({ statusCode: status, name });
  expect(resend.mails()).toEqual([]);
});
