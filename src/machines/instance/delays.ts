import type { InstanceContext } from './types.ts';

const MINUTE_MS = 60_000;

/** Longest time that each change of power may take, with all its steps and attempts. */
export const POWER_DEADLINES_MS = {
  start: 5 * MINUTE_MS,
  stop: 10 * MINUTE_MS,
  restart: 15 * MINUTE_MS,
} as const;

const pauseMs = (attempts: number) => 1000 * 2 ** Math.min(attempts - 1, 5);
/** The same for third parties that may be away for hours: 1, 2, 4 … 256 s. */
const longPauseMs = (attempts: number) => 1000 * 2 ** Math.min(attempts - 1, 8);

interface Scope {
  readonly context: InstanceContext;
}

/** How long a state may last, and how long to wait between two attempts. */
export const DELAYS = {
  // Proxmox clones a template once at a time: this covers a queue of clones.
  cloneDeadline: 30 * MINUTE_MS,
  configureDeadline: 2 * MINUTE_MS,
  bootDeadline: 8 * MINUTE_MS,
  addressDeadline: 2 * MINUTE_MS,
  installDeadline: 2 * MINUTE_MS,
  readyDeadline: ({ context }: Scope) => context.readyDeadlineMs,
  startDeadline: POWER_DEADLINES_MS.start,
  stopDeadline: POWER_DEADLINES_MS.stop,
  restartDeadline: POWER_DEADLINES_MS.restart,
  /** Longer than any shutdown may take by configuration; then the plug is pulled. */
  shutdownDeadline: 6 * MINUTE_MS,
  /** More than a start with all its attempts. */
  resumeDeadline: 15 * MINUTE_MS,
  /** Of gigabytes, on a slow disk. */
  backupDeadline: 60 * MINUTE_MS,
  /** Longer than a game may take to stop, or to start. */
  gameDeadline: 5 * MINUTE_MS,
  /** An agent may be away for hours, and its game is owed its start all that time. */
  owedPause: ({ context }: Scope) => longPauseMs(context.maintenance.attempts),
  maintenancePause: ({ context }: Scope) => pauseMs(context.maintenance.attempts),
  observeDeadline: 30_000,
  // The sweep of the whole cluster sees it sooner, if Proxmox answers at all.
  observeAgain: MINUTE_MS,
  recoverDeadline: MINUTE_MS,
  /** Time for a game that was started again to show that it lives. */
  recoverSettle: MINUTE_MS,
  settleDeadline: 32 * MINUTE_MS,
  destroyDeadline: 10 * MINUTE_MS,
  publishDeadline: 2 * MINUTE_MS,
  removeDeadline: MINUTE_MS,
  /** Longer than any call of ours to a third party that is not given up. */
  edgeSettleDeadline: MINUTE_MS,
  registerDeadline: MINUTE_MS,
  /** More than edge and proxy take to remove what they can and to owe the rest. */
  releaseDeadline: 10 * MINUTE_MS,
  /** Doubles with each attempt: 1, 2, 4, 8 s. */
  provisioningPause: ({ context }: Scope) => pauseMs(context.attempts.provisioning),
  hostPause: ({ context }: Scope) => pauseMs(context.attempts.host),
  edgePause: ({ context }: Scope) => longPauseMs(context.attempts.edge),
  proxyPause: ({ context }: Scope) => longPauseMs(context.attempts.proxy),
} as const;
