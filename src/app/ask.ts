import { type AskOperation, createAskOperation } from '../http/ask-operation.ts';
import { createInstanceStore } from '../storage/instance-store.ts';
import { createOperations } from '../storage/operations.ts';
import type { Foundation } from './foundation.ts';

/** Asking a container's actor for what is an operation, for whichever side of HTTP does. */
export const createAsk = ({
  actors,
  database,
  randomId,
  now,
}: Pick<Foundation, 'actors' | 'database' | 'randomId' | 'now'>): AskOperation =>
  createAskOperation({
    ...{ actors, randomId, now },
    answers: createInstanceStore(database.pool),
    operations: createOperations(database.prisma),
  });
