import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

import type { Mailbox, ReceivedMail } from './mailbox.ts';

/** The mails of the lab for a browser on this machine, and at `/mails` as JSON. */
export interface MailPage extends AsyncDisposable {
  readonly url: URL;
}

const HERE = '127.0.0.1';

export async function startMailPage(mailbox: Mailbox, port: number): Promise<MailPage> {
  const server = createServer(({ url = '/', method, headers: { host = '' } }, response) => {
    // A page elsewhere may point a name of its own at this machine.
    const isOurs = /^(127\.0\.0\.1|localhost)(:\d+)?$/.test(host);
    if (method !== 'GET' || !isOurs) return void response.writeHead(403).end();
    const page = answer(mailbox, new URL(url, 'http://localhost').pathname);
    response.writeHead(page.status, {
      'content-type': page.type,
      // Whatever a mail holds, nothing of it runs or is fetched.
      'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'",
    });
    response.end(page.body);
  });
  await listen(server, port).catch(() => listen(server, 0));
  return {
    url: new URL(`http://${HERE}:${(server.address() as AddressInfo).port}`),
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}

async function listen(server: ReturnType<typeof createServer>, port: number): Promise<void> {
  const listening = once(server, 'listening');
  server.listen(port, HERE);
  await listening;
}

interface Page {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

const NONE: Page = { status: 404, type: 'text/plain', body: 'There is no such mail.\n' };

function answer(mailbox: Mailbox, path: string): Page {
  const mails = mailbox.list().toReversed();
  if (path === '/mails') return json(mails);
  if (path === '/') return html(listOf(mails));
  const [, what, id] = /^\/(mails|view)\/([\w-]+)$/.exec(path) ?? [];
  const mail = mails.find((one) => one.id === id);
  if (!mail) return NONE;
  return what === 'mails' ? json(mail) : html(viewOf(mail));
}

const json = (body: unknown): Page => ({
  status: 200,
  type: 'application/json; charset=utf-8',
  body: JSON.stringify(body),
});

const html = (body: string): Page => ({
  status: 200,
  type: 'text/html; charset=utf-8',
  body: `<!doctype html><meta charset="utf-8"><title>Mails of the lab</title>
<style>body{font:15px system-ui;margin:2em auto;max-width:60em}td{padding:.3em .8em .3em 0}
pre{background:#f4f4f4;padding:1em;white-space:pre-wrap}iframe{width:100%;height:32em;border:1px solid #ccc}</style>
${body}`,
});

const ESCAPES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '"': '&quot;' };
const safe = (text: string): string => text.replace(/[&<"]/g, (one) => ESCAPES[one] ?? one);

function listOf(mails: readonly ReceivedMail[]): string {
  const rows = mails.map(
    ({ id, to, subject, receivedAt }) =>
      `<tr><td>${receivedAt}<td>${safe(to.join(', '))}<td><a href="/view/${id}">${safe(subject || '(no subject)')}</a>`,
  );
  return `<h1>Mails</h1><table>${rows.join('\n')}</table>${rows.length ? '' : '<p>None yet.'}`;
}

function viewOf({ from, to, subject, headers, text, html, receivedAt }: ReceivedMail): string {
  const replyTo = headers['reply-to'];
  const frame = `<h2>HTML</h2><iframe sandbox srcdoc="${safe(html ?? '')}"></iframe>`;
  return `<p><a href="/">All mails</a><h1>${safe(subject)}</h1>
<p>From ${safe(headers['from'] ?? from)}<br>To ${safe(to.join(', '))}<br>At ${receivedAt}
${replyTo === undefined ? '' : `<br>Reply to ${safe(replyTo)}`}
<h2>Text</h2><pre>${safe(text ?? '')}</pre>${html === null ? '' : frame}`;
}
