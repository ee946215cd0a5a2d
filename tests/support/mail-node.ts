import { createMailer } from '../../src/clients/mail/client.ts';
import { createSmtpTransport } from '../../src/clients/mail/smtp.ts';
import { createRenderer } from '../../src/queues/mail/render.ts';
import { createMailProcessor } from '../../src/queues/workers/send-mails.ts';
import { openDatabase } from '../../src/storage/database.ts';
import { createMails } from '../../src/storage/mails.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import './crash-lifeline.ts';

/** A process that sends one mail, for a test that kills it meanwhile. */
const { MAIL = '{}' } = process.env;
const { databaseUrl, id, leaseMs, smtp, portal } = JSON.parse(MAIL);

const database = openDatabase({ url: databaseUrl, connectionsMax: 2, onError: () => {} });
const send = createMailProcessor({
  mails: createMails(database.pool),
  mailer: createMailer([createSmtpTransport(smtp)]),
  render: createRenderer({ portal, issueReset: async () => null }),
  leaseMs,
  logger: createLogger('silent'),
});
await send({ data: { id } }, new AbortController().signal);
