import { fileURLToPath } from 'node:url';

import type { RequestHandler } from 'express';

import type { Authenticate } from '../http/auth/principal.ts';
import { readWebPage } from '../http/web/page.ts';
import { BOARD_PATH, createQueueBoardRouter } from '../http/web/queue-board.ts';
import type { Foundation } from './foundation.ts';

const BUILT = fileURLToPath(new URL('../../web/dist', import.meta.url));

/** What a node shows to browsers, beside its API. */
export async function openPages(
  { logger, queues }: Pick<Foundation, 'logger' | 'queues'>,
  authenticate: Authenticate,
): Promise<readonly RequestHandler[]> {
  const page = await readWebPage(BUILT);
  if (!page) logger.warn('the console page has not been built: run "npm run build:web"');
  const board = createQueueBoardRouter(authenticate, async () => {
    const { createQueueBoard } = await import('../queues/board.ts');
    return createQueueBoard(queues, BOARD_PATH);
  });
  return page ? [page, board] : [board];
}
