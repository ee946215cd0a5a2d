import { createBullBoard } from '@bull-board/api';
import { BullMQAdapter } from '@bull-board/api/bullMQAdapter';
import { ExpressAdapter } from '@bull-board/express';
import type { Router } from 'express';

import { QUEUE_NAMES, type Queues } from './queues.ts';

/**
 * The queues as Bull Board shows them, to be mounted at `path` behind somebody who asks who comes.
 * Only to be looked at: a job is nothing but a reason to look at the truth, and whoever wants to
 * change that asks the API, which writes down who it was.
 */
export function createQueueBoard(queues: Queues, path: string): Router {
  const serverAdapter = new ExpressAdapter();
  serverAdapter.setBasePath(path);
  createBullBoard({
    queues: QUEUE_NAMES.map((name) => new BullMQAdapter(queues.get(name), { readOnlyMode: true })),
    serverAdapter,
    options: { uiConfig: { boardTitle: 'ZPack' } },
  });
  return serverAdapter.getRouter();
}
