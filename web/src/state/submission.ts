import { createStore, useSelector } from '@xstate/store-react';
import { useMemo } from 'react';

import { ApiProblem } from '../api/client.ts';

interface SubmissionContext {
  readonly isRunning: boolean;
  readonly problem: ApiProblem | null;
}

function createSubmission() {
  const store = createStore({
    context: { isRunning: false, problem: null } as SubmissionContext,
    on: {
      began: (): SubmissionContext => ({ isRunning: true, problem: null }),
      ended: (_, { problem }: { problem: ApiProblem | null }): SubmissionContext => ({
        isRunning: false,
        problem,
      }),
    },
  });
  async function run(work: () => Promise<unknown>): Promise<void> {
    if (store.getSnapshot().context.isRunning) return;
    store.trigger.began();
    let problem: ApiProblem | null = null;
    try {
      await work();
    } catch (error) {
      if (!(error instanceof ApiProblem)) throw error;
      problem = error;
    } finally {
      store.trigger.ended({ problem });
    }
  }
  return { store, run: (work: () => Promise<unknown>) => void run(work) };
}

/** Something that is asked of the service, once at a time, and what came of it. */
export function useSubmission(): SubmissionContext & {
  run(work: () => Promise<unknown>): void;
} {
  const { store, run } = useMemo(createSubmission, []);
  return { ...useSelector(store, ({ context }) => context), run };
}
