import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { inspect } from 'node:util';

import { COMPILED } from '../../lab/compiled.ts';
import { type MailSink, startMailSink } from '../../lab/mail/sink.ts';
import { type Resend, startResend } from '../../lab/resend/server.ts';
import { createMailer, type MailTransport } from '../../src/clients/mail/client.ts';
import { createResendTransport } from '../../src/clients/mail/resend.ts';
import { createSmtpTransport } from '../../src/clients/mail/smtp.ts';
import { createRenderer, type IssueReset } from '../../src/queues/mail/render.ts';
import { createMailProcessor, createMailSweep } from '../../src/queues/workers/send-mails.ts';
import { openDatabase } from '../../src/storage/database.ts';
import type { MailContent } from '../../src/storage/mail-order.ts';
import { createMails } from '../../src/storage/mails.ts';
import { createUsers } from '../../src/storage/users.ts';
import type { Logger } from '../../src/telemetry/logger.ts';
import { temporaryFolder } from '../lab/proxmox-world.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';

export const ALICE = 'alice@zpack.test';
export const TOKEN = 'a-token-that-opens-an-account';
export const PORTAL = {
  portalUrl: 'https://portal.test',
  resetUrlBase: 'https://portal.test/',
  resetTtlS: 3_600,
};
const FROM = 'ZeroLag Hub Support <support@zerolaghub.com>';
const NODE = fileURLToPath(new URL('../support/mail-node.ts', import.meta.url));

export const RESET: MailContent = { kind: 'password_reset', params: {} };
export const RESTORED: MailContent = { kind: 'restored', params: {} };

interface NodeOptions {
  readonly by?: readonly ('smtp' | 'resend')[];
  readonly leaseMs?: number;
}

/** A database with Alice in it, the mail server of the lab and Resend, for all tests of a file. */
export async function startMailsWorld() {
  await using opened = new AsyncDisposableStack();
  const folder = opened.use(await temporaryFolder());
  const database = opened.use(await createTestDatabase());
  const sink = opened.use(await startMailSink({ dataDir: folder.path }));
  const resend = opened.use(await startResend());
  const alice = { id: 'u-alice', email: ALICE, username: 'alice', displayName: 'Alice' };
  await createUsers(database.prisma).upsert({ ...alice, role: 'user', passwordHash: '' });
  const closing = opened.move();
  return {
    setUp: () => setUp(database, sink, resend),
    [Symbol.asyncDispose]: () => closing.disposeAsync(),
  };
}

/** That world as if nothing had been mailed in it yet, and who sends mails. */
async function setUp(database: TestDatabase, sink: MailSink, resend: Resend) {
  const closing = new AsyncDisposableStack();
  const rows = async (text: string, values: unknown[] = []) =>
    (await database.pool.query(text, values)).rows;
  await rows('DELETE FROM mail');
  await rows('UPDATE "user" SET mail_bounced_at = NULL');
  sink.faults.clear();
  resend.faults.clear();
  const before = {
    sink: sink.mails().length,
    resend: resend.mails().length,
    envelopes: sink.envelopes,
  };
  const mails = createMails(database.pool);
  const logged: string[] = [];
  const warn = (...args: unknown[]) =>
    logged.push(inspect(args, { depth: 10, showHidden: true, maxStringLength: null }));
  const smtp = smtpOptionsOf(sink);
  const transports: Readonly<Record<'smtp' | 'resend', MailTransport>> = {
    smtp: createSmtpTransport(smtp),
    resend: closing.use(
      createResendTransport({
        ...{ baseUrl: resend.url, apiKey: resend.apiKey, from: FROM, timeoutMs: 5_000 },
      }),
    ),
  };
  const issueReset: IssueReset = async (to) =>
    to.toLowerCase() === ALICE ? { displayName: 'Alice', token: TOKEN } : null;
  let count = 0;

  /** A worker with connections and a memory of its own. */
  function createNode({ by = ['smtp'], leaseMs = 60_000 }: NodeOptions = {}) {
    const own = closing.use(
      openDatabase({ url: database.url, connectionsMax: 3, onError: () => {} }),
    );
    const mailer = createMailer(by.map((name) => transports[name]));
    const process = createMailProcessor({
      mails: createMails(own.pool),
      mailer,
      render: createRenderer({ portal: PORTAL, issueReset }),
      leaseMs,
      logger: { warn } as unknown as Logger,
    });
    return {
      send: (id: string, shutdown = new AbortController().signal) =>
        process({ data: { id } }, shutdown),
      async sweep(): Promise<readonly string[]> {
        let found: readonly string[] = [];
        const enqueue = async (ids: readonly string[]) => {
          found = ids;
        };
        await createMailSweep({ mails, mailer, enqueue })();
        return found;
      },
    };
  }

  return {
    ...{ mails, logged, rows, createNode },
    smtp: {
      faults: sink.faults,
      mails: () => sink.mails().slice(before.sink),
      envelopes: () => sink.envelopes - before.envelopes,
    },
    resend: { faults: resend.faults, mails: () => resend.mails().slice(before.resend) },
    async queue(content: MailContent, recipient = ALICE): Promise<string> {
      count += 1;
      const id = await mails.queue({ ...content, key: `test/${count}`, recipient });
      return id ?? '';
    },
    row: async (id: string) => (await rows('SELECT * FROM mail WHERE id = $1', [id]))[0],
    bouncedAt: async () => (await rows('SELECT mail_bounced_at AS at FROM "user"'))[0]?.at,
    /** Stands for the time that passes: pauses are over, and so are leases. */
    pass: () =>
      rows(`UPDATE mail SET due_at = least(due_at, now() - interval '1 s'),
        leased_until = least(leased_until, now() - interval '1 ms')`),
    startProcess(id: string) {
      const order = { databaseUrl: database.url, id, leaseMs: 60_000, smtp, portal: PORTAL };
      const child = spawn(process.execPath, [NODE], {
        stdio: ['pipe', 'ignore', 'inherit'],
        env: {
          PATH: process.env['PATH'],
          NODE_COMPILE_CACHE: COMPILED,
          MAIL: JSON.stringify(order),
        },
      });
      closing.defer(async () => void (await kill(child)));
      return { kill: () => kill(child) };
    },
    [Symbol.asyncDispose]: () => closing.disposeAsync(),
  };
}

function smtpOptionsOf({ host, port, user, password, ca }: MailSink) {
  return { host, port, user, password, ca, isSecure: false, from: FROM, timeoutMs: 5_000 };
}

async function kill(child: ChildProcess): Promise<NodeJS.Signals | null> {
  if (child.exitCode === null && child.signalCode === null) {
    const exit = once(child, 'exit');
    child.kill('SIGKILL');
    await exit;
  }
  return child.signalCode;
}
