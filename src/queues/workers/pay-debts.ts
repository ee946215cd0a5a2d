import { UpstreamError } from '../../errors.ts';
import type { Debt, Debts } from '../../storage/debts.ts';
import type { Logger } from '../../telemetry/logger.ts';
import type { Perform } from '../effects/performer.ts';

const BATCH_MAX = 20;
const ATTEMPT_TIMEOUT_MS = 60_000;

interface Dependencies {
  readonly debts: Debts;
  readonly destroy: Perform<'container.destroy'>;
  readonly logger: Logger;
}

/** Removes what deleted instances left behind. Activation is the retry; nothing is retried inside. */
export function createDebtCollector({ debts, destroy, logger }: Dependencies) {
  async function collect(debt: Debt, shutdown: AbortSignal): Promise<void> {
    const { vmid, instanceId } = debt;
    const subject = {
      kind: 'container.destroy',
      opId: '',
      vmid,
      id: instanceId,
      node: null,
    } as const;
    try {
      await destroy(subject, {
        upid: null,
        ageMs: 0,
        signal: AbortSignal.any([shutdown, AbortSignal.timeout(ATTEMPT_TIMEOUT_MS)]),
        progress: async () => {},
      });
    } catch (error) {
      // Another node goes on where we were: that says nothing of the debt.
      if (shutdown.aborted) return;
      logger.warn({ debt: debt.id, vmid, err: error }, 'a debt could not be paid');
      const code = error instanceof UpstreamError ? error.reason : 'internal_error';
      const message =
        error instanceof UpstreamError ? error.message : 'the container is still there';
      return debts.postpone(debt.id, { code, message });
    }
    await debts.pay(debt);
  }

  return async (shutdown: AbortSignal): Promise<void> => {
    for (const debt of await debts.list(BATCH_MAX)) {
      if (shutdown.aborted) return;
      await collect(debt, shutdown);
    }
  };
}
