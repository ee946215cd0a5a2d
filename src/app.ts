import { createApi } from './app/api.ts';
import { type AppOptions, type Foundation, layFoundation } from './app/foundation.ts';
import { startHeart } from './app/heart.ts';
import { startView } from './app/view.ts';
import { startWorkerRole } from './app/workers.ts';
import { createMetricsRouter } from './http/metrics.ts';
import { createMetricsApp, listen } from './http/server.ts';

export interface App extends AsyncDisposable {
  /** Where the API listens; null in a worker. */
  readonly url: string | null;
  /** Where a process without API shows its metrics; null if it does not. */
  readonly metricsUrl: string | null;
}

/**
 * Starts one node in the role that its configuration says. With app/, the one place that
 * constructs. What it opens is closed in reverse order, also if opening fails half-way.
 */
export async function startApp(options: AppOptions): Promise<App> {
  await using opened = new AsyncDisposableStack();
  const foundation = await layFoundation(options, opened);
  const { config, logger } = options;
  if (config.role !== 'api') opened.use(await startWorkerRole(foundation));
  const metricsUrl = await listenForMetrics(foundation, opened);
  let url: string | null = null;
  if (config.role !== 'worker') {
    const view = opened.use(await startView(foundation));
    const api = await createApi(foundation, view);
    url = opened.use(await listen(api.app, config.http, api.attach)).url;
  }
  opened.use(startHeart(foundation));
  opened.defer(() => foundation.closing.abort(new Error('this node shuts down')));
  logger.info({ role: config.role, url, metricsUrl }, 'started');
  const closing = opened.move();
  return { url, metricsUrl, [Symbol.asyncDispose]: () => closing.disposeAsync() };
}

async function listenForMetrics(
  { config, logger, metrics }: Foundation,
  opened: AsyncDisposableStack,
): Promise<string | null> {
  const { port, token } = config.metrics;
  if (config.role !== 'worker' || port === undefined) return null;
  const page = createMetricsApp({ logger, metrics: createMetricsRouter(metrics, token) });
  const { host } = config.http;
  return opened.use(await listen(page, { host, port })).url;
}
