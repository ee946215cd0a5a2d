import { ControlPlaneError, UpstreamError } from '../../errors.ts';
import type { Effect } from '../../machines/instance/types.ts';
import type { Debt, Debts } from '../../storage/debts.ts';
import type { Logger } from '../../telemetry/logger.ts';
import type { Perform, Performers } from '../effects/performer.ts';

/** Of each kind. */
const BATCH_MAX = 20;
const ATTEMPT_TIMEOUT_MS = 60_000;
/** Then no further debt is begun: who hangs would keep the next round of all kinds from beginning. */
const ROUND_MS = 30_000;

interface Dependencies {
  readonly debts: Debts;
  readonly performers: Performers;
  readonly logger: Logger;
  readonly roundMs?: number;
}

/** What would have removed it while its instance was alive removes it now. */
function effectOf({ kind, vmid, instanceId: id, subject }: Debt): Effect {
  const whose = { opId: '', vmid, id };
  if (kind === 'container') return { ...whose, kind: 'container.destroy', node: null };
  if (kind === 'proxy') {
    const { serverName } = subject as { serverName: string };
    return { ...whose, kind: 'proxy.unregister', serverName };
  }
  return { ...whose, kind: `${kind}.remove`, target: subject } as Effect;
}

function whyOf(error: unknown, timeout: AbortSignal) {
  if (timeout.aborted) return { code: 'timed_out', message: 'it did not end in time' };
  if (error instanceof UpstreamError) return { code: error.reason, message: error.message };
  if (error instanceof ControlPlaneError) return { code: error.code, message: error.message };
  return { code: 'internal_error', message: 'it is still there' };
}

/** Removes what deleted instances left behind. Activation is the retry; nothing is retried inside. */
export function createDebtCollector(dependencies: Dependencies) {
  const { debts, performers, logger, roundMs = ROUND_MS } = dependencies;
  async function collect(debt: Debt, shutdown: AbortSignal): Promise<void> {
    const { vmid, kind } = debt;
    const effect = effectOf(debt);
    const perform = performers[effect.kind] as Perform<Effect['kind']>;
    const timeout = AbortSignal.timeout(ATTEMPT_TIMEOUT_MS);
    try {
      await perform(effect as never, {
        upid: null,
        ageMs: 0,
        signal: AbortSignal.any([shutdown, timeout]),
        progress: async () => {},
      });
    } catch (error) {
      // Another node goes on where we were: that says nothing of the debt.
      if (shutdown.aborted) return;
      logger.warn({ debt: debt.id, vmid, kind, err: error }, 'a debt could not be paid');
      return debts.postpone(debt.id, whyOf(error, timeout));
    }
    await debts.pay(debt);
  }

  return async (shutdown: AbortSignal): Promise<void> => {
    const deadline = performance.now() + roundMs;
    const due = await debts.list(BATCH_MAX);
    // Those of one kind after the other, so that a third party that hangs holds up its own only.
    const byKind = Map.groupBy(due, ({ kind }) => kind);
    await Promise.all(
      [...byKind.values()].map(async (group) => {
        for (const debt of group) {
          if (shutdown.aborted || performance.now() > deadline) return;
          await collect(debt, shutdown);
        }
      }),
    );
  };
}
