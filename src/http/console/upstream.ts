import type { AgentConsole, ConsoleListener, ConsoleStart } from '../../clients/agent/console.ts';
import { ControlPlaneError } from '../../errors.ts';

export interface UpstreamOptions {
  readonly consoles: Pick<AgentConsole, 'watch'>;
  /** @throws ControlPlaneError while there is no agent to ask */
  readonly address: () => string;
  /** Where to go on. */
  readonly start: () => ConsoleStart;
  readonly listener: Pick<ConsoleListener, 'started' | 'output'> & {
    /** The agent, which was there, is away. */
    lost(): void;
  };
  readonly limits: {
    readonly awayMaxMs: number;
    readonly retryMs: { readonly min: number; readonly max: number };
  };
  /** With the first of many attempts that fail. */
  readonly onAway: (error: Error) => void;
  /** It has been away for so long, and is tried on. */
  readonly onGone: () => void;
  readonly now: () => number;
  readonly random: () => number;
}

/** The one connection to the console of a container, made again whenever it ends. */
export interface Upstream extends Disposable {
  readonly isLive: boolean;
}

/** A connection that has lasted so long was a good one: the next one is tried soon. */
const GOOD_MS = 2_000;

export function openUpstream(options: UpstreamOptions): Upstream {
  const { consoles, address, start, listener, limits, now, random } = options;
  let watch: Disposable | undefined;
  let retrying: NodeJS.Timeout | undefined;
  let attempts = 0;
  let startedAt: number | null = null;
  let awaySince = now();

  function connect(): void {
    try {
      const { output } = listener;
      watch = consoles.watch(address(), start(), { started, output, ended });
    } catch (error) {
      if (!(error instanceof ControlPlaneError)) throw error;
      ended(error);
    }
  }

  function started(hello: Parameters<ConsoleListener['started']>[0]): void {
    startedAt = now();
    listener.started(hello);
  }

  function ended(error: Error): void {
    if (startedAt !== null) {
      awaySince = now();
      if (awaySince - startedAt >= GOOD_MS) attempts = 0;
      startedAt = null;
      listener.lost();
    }
    if (attempts === 0) options.onAway(error);
    if (now() - awaySince > limits.awayMaxMs) {
      options.onGone();
      awaySince = now();
    }
    const { min, max } = limits.retryMs;
    const delay = Math.min(max, min * 2 ** attempts) * (0.5 + random() / 2);
    attempts += 1;
    retrying = setTimeout(connect, delay);
  }

  connect();
  return {
    get isLive() {
      return startedAt !== null;
    },
    [Symbol.dispose]() {
      clearTimeout(retrying);
      watch?.[Symbol.dispose]();
    },
  };
}
