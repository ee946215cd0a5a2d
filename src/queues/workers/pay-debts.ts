import { UpstreamError } from '../../errors.ts';
import type { Effect } from '../../machines/instance/types.ts';
import type { Debt, Debts } from '../../storage/debts.ts';
import type { Logger } from '../../telemetry/logger.ts';
import type { Perform, Performers } from '../effects/performer.ts';

const BATCH_MAX = 20;
const ATTEMPT_TIMEOUT_MS = 60_000;

interface Dependencies {
  readonly debts: Debts;
  readonly performers: Performers;
  readonly logger: Logger;
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

/** Removes what deleted instances left behind. Activation is the retry; nothing is retried inside. */
export function createDebtCollector({ debts, performers, logger }: Dependencies) {
  async function collect(debt: Debt, shutdown: AbortSignal): Promise<void> {
    const { vmid, kind } = debt;
    const effect = effectOf(debt);
    const perform = performers[effect.kind] as Perform<Effect['kind']>;
    try {
      await perform(effect as never, {
        upid: null,
        ageMs: 0,
        signal: AbortSignal.any([shutdown, AbortSignal.timeout(ATTEMPT_TIMEOUT_MS)]),
        progress: async () => {},
      });
    } catch (error) {
      // Another node goes on where we were: that says nothing of the debt.
      if (shutdown.aborted) return;
      logger.warn({ debt: debt.id, vmid, kind, err: error }, 'a debt could not be paid');
      const code = error instanceof UpstreamError ? error.reason : 'internal_error';
      const message = error instanceof UpstreamError ? error.message : 'it is still there';
      return debts.postpone(debt.id, { code, message });
    }
    await debts.pay(debt);
  }

  return async (shutdown: AbortSignal): Promise<void> => {
    const due = await debts.list(BATCH_MAX);
    // Those of one kind after the other, so that a third party that hangs holds up its own only.
    const byKind = Map.groupBy(due, ({ kind }) => kind);
    await Promise.all(
      [...byKind.values()].map(async (group) => {
        for (const debt of group) {
          if (shutdown.aborted) return;
          await collect(debt, shutdown);
        }
      }),
    );
  };
}
