import { createPerformers } from '../queues/effects/performers.ts';
import { startWorkers } from '../queues/start-workers.ts';
import { createTimerProcessor } from '../queues/workers/deliver-timers.ts';
import { createLostEffectsSweep } from '../queues/workers/find-lost-effects.ts';
import { createDebtCollector } from '../queues/workers/pay-debts.ts';
import { createEffectProcessor } from '../queues/workers/perform-effects.ts';
import type { Sweeps } from '../queues/workers/sweep.ts';
import { createBackups } from '../storage/backups.ts';
import { createInstanceStore } from '../storage/instance-store.ts';
import { createNodeSlots } from '../storage/node-slots.ts';
import { createOutbox } from '../storage/outbox.ts';
import { createRetention } from '../storage/retention.ts';
import { createTimers } from '../storage/timers.ts';
import { createResets } from './accounts.ts';
import { createBackupSweeps } from './backups.ts';
import { createBilling } from './billing.ts';
import { composeEdgeOptions, createEdgeSweeps } from './edge.ts';
import type { Foundation } from './foundation.ts';
import { createMailWork } from './mail.ts';
import { createPolls } from './polls.ts';
import { createReconcile } from './reconcile.ts';

const MINUTE_MS = 60_000;
/** A request may be repeated under its Idempotency-Key for this long. */
const ANSWERS_KEPT_MS = 48 * 60 * MINUTE_MS;
/** A reservation that came to nothing is given back after this. */
const ABANDONED_AFTER_MS = 10 * MINUTE_MS;

/** The workers of a node: effects, timers, and the sweeps that make up for whatever is lost. */
export async function startWorkerRole(foundation: Foundation): Promise<AsyncDisposable> {
  const { config, logger, database, agents, actors, store, queues, relay, vmids } = foundation;
  await using opened = new AsyncDisposableStack();
  const billing = createBilling(foundation).workers;
  const performers = composePerformers(foundation);
  const outbox = createOutbox(database.pool);
  const timers = createTimerProcessor({ timers: createTimers(database.pool), actors });
  const payDebts = createDebtCollector({
    debts: foundation.debts,
    performers,
    logger,
  });
  const polls = createPolls(foundation, agents);
  const reconcile = createReconcile(foundation);
  const mail = await createMailWork(foundation, createResets(foundation).issueReset, opened);
  const sweeps: Sweeps = {
    ...polls.cluster,
    ...createEdgeSweeps(foundation),
    ...createBackupSweeps(foundation),
    ...billing?.sweeps,
    outbox: {
      everyMs: 2_000,
      run: createLostEffectsSweep({ outbox, relay }),
    },
    mails: mail.sweep,
    timers: { everyMs: 1_000, run: () => timers.deliverDue() },
    debts: { everyMs: config.debts.everyMs, run: payDebts },
    reconcile: {
      everyMs: MINUTE_MS,
      run: async (shutdown) => void (await reconcile.run(shutdown)),
    },
    answers: {
      everyMs: 60 * MINUTE_MS,
      run: () => createInstanceStore(database.pool).forgetAnswers(ANSWERS_KEPT_MS),
    },
    retention: {
      everyMs: 60 * MINUTE_MS,
      async run(shutdown) {
        const forgotten = await createRetention(database.pool, config.retention)(shutdown);
        logger.info(forgotten, 'what ended long ago is forgotten');
      },
    },
    reservations: {
      everyMs: MINUTE_MS,
      async run() {
        await vmids.releaseAbandoned(ABANDONED_AFTER_MS);
        await foundation.ports.releaseAbandoned(ABANDONED_AFTER_MS);
      },
    },
  };
  opened.use(
    await startWorkers({
      connection: { url: config.redis.url },
      prefix: config.redis.prefix,
      concurrency: config.effects.concurrency,
      lockMs: config.effects.leaseMs,
      queues,
      performEffect: createEffectProcessor({
        outbox,
        actors,
        settle: store.settle,
        performers: { ...performers, ...billing?.performers },
        leaseMs: config.effects.leaseMs,
        logger,
        observe: foundation.observe,
      }),
      deliverTimer: timers.process,
      sendMail: mail.sendMail,
      sweeps,
      polls: polls.agents,
      logger,
    }),
  );
  const closing = opened.move();
  return { [Symbol.asyncDispose]: () => closing.disposeAsync() };
}

function composePerformers(foundation: Foundation) {
  const { config, logger, proxmox, agents } = foundation;
  const { pollMs, bootTimeoutMs } = config.agent;
  const host = {
    proxmox,
    pollMs: config.proxmox.pollMs,
    slots: createNodeSlots({
      redis: foundation.redis,
      prefix: config.redis.prefix,
      perNode: config.proxmox.nodeConcurrency,
      onError: (err) => logger.warn({ err }, 'cannot count the places of a Proxmox node'),
    }),
    ...config.provisioning,
  };
  return createPerformers({
    host,
    agent: { agents, pollMs, bootTimeoutMs },
    edge: composeEdgeOptions(foundation),
    backup: {
      ...{ backups: foundation.backups, agents, pollMs },
      known: createBackups(foundation.database.pool),
    },
  });
}
