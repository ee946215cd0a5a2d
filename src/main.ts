import { startApp } from './app.ts';
import { readConfig } from './config.ts';
import { createLogger } from './telemetry/logger.ts';

/**
 * The process and nothing else: environment, signals, exit code. One SIGTERM ends it in good
 * order inside SHUTDOWN_GRACE_MS; what is in flight is handed back or found by a sweep.
 */
async function main(): Promise<void> {
  const config = readConfig(process.env);
  const logger = createLogger(config.log.level);
  const app = await startApp({ config, logger });

  let isEnding = false;
  async function end(signal: string): Promise<void> {
    if (isEnding) return;
    isEnding = true;
    logger.info({ signal }, 'ending');
    setTimeout(() => {
      logger.error('did not end in time');
      process.exit(1);
    }, config.shutdown.graceMs).unref();
    await app[Symbol.asyncDispose]();
    process.exit(0);
  }
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      end(signal).catch((err: unknown) => {
        logger.error({ err }, 'did not end in good order');
        process.exit(1);
      });
    });
  }
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
});
