import { type Logger, pino } from 'pino';

export type { Logger };

/** Members that may hold a secret, wherever they are nested up to three levels deep. */
const SECRETS = ['password', 'token', 'accessToken', 'secret', 'authorization', 'cookie'];

/**
 * Logs go to standard output as JSON lines. Lines that come while others are being written go
 * together; a process that ends by itself writes what it has, one that is killed may lose that.
 */
export function createLogger(level: string): Logger {
  const paths = SECRETS.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]);
  const output = pino.destination({ dest: 1, sync: false });
  return pino({ level, redact: { paths, censor: '[redacted]' } }, output);
}
