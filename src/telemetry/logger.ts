import { type Logger, pino } from 'pino';

export type { Logger };

/** Members that may hold a secret, wherever they are nested up to three levels deep. */
const SECRETS = ['password', 'token', 'accessToken', 'secret', 'authorization', 'cookie'];

/** Logs go to standard output as JSON lines. */
export function createLogger(level: string): Logger {
  const paths = SECRETS.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]);
  return pino({ level, redact: { paths, censor: '[redacted]' } });
}
