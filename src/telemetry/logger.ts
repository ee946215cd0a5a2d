import { type DestinationStream, type Logger, pino } from 'pino';

export type { Logger };

/** Members that may hold a secret, wherever they are nested up to three levels deep. */
const SECRETS = [
  ...['password', 'currentPassword', 'newPassword', 'passwordHash'],
  ...['token', 'accessToken', 'refreshToken', 'secret', 'authorization', 'cookie'],
];

/**
 * Logs go to standard output as JSON lines, many at a time: a write for each would cost a busy
 * node more than anything else it does for a request. A process that ends by itself writes what it
 * has; one that is killed loses the last tenth of a second.
 */
export function createLogger(level: string, output: DestinationStream = openOutput()): Logger {
  const paths = SECRETS.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]);
  return pino({ level, redact: { paths, censor: '[redacted]' } }, output);
}

const openOutput = () =>
  pino.destination({ dest: 1, sync: false, minLength: 4_096, periodicFlush: 100 });
