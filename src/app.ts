import { createApi } from './app/api.ts';
import { type AppOptions, layFoundation } from './app/foundation.ts';
import { startView } from './app/view.ts';
import { startWorkerRole } from './app/workers.ts';
import { listen } from './http/server.ts';

export interface App extends AsyncDisposable {
  /** Where the API listens; null in a worker. */
  readonly url: string | null;
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
  let url: string | null = null;
  if (config.role !== 'worker') {
    const view = opened.use(await startView(foundation));
    const listening = opened.use(await listen(await createApi(foundation, view), config.http));
    url = listening.url;
  }
  opened.defer(() => foundation.closing.abort(new Error('this node shuts down')));
  logger.info({ role: config.role, url }, 'started');
  const closing = opened.move();
  return { url, [Symbol.asyncDispose]: () => closing.disposeAsync() };
}
