import type { AgentConsole, ConsoleHello } from '../../clients/agent/console.ts';
import type { CloseReason } from './closes.ts';
import type { Source } from './flow.ts';
import { createPages } from './pages.ts';
import { createTranscript } from './transcript.ts';
import { openUpstream } from './upstream.ts';
import type { Viewer } from './viewer.ts';

export interface ChannelLimits {
  /** Bytes of frames that are kept of each console. */
  readonly ringBytes: number;
  /** After so long without its agent, those who look are sent away. */
  readonly awayMaxMs: number;
  /** Kept open for whoever comes back when nobody looks any more. */
  readonly lingerMs: number;
  /** Lines of this time are sent together. */
  readonly flushMs: number;
  readonly retryMs: { readonly min: number; readonly max: number };
}

export interface ChannelOptions {
  readonly consoles: AgentConsole;
  /** @throws ControlPlaneError while there is no agent to ask */
  readonly address: () => string;
  readonly limits: ChannelLimits;
  readonly now: () => number;
  readonly random: () => number;
  /** It has been empty for a while, and is closed. */
  readonly onEmpty: () => void;
  readonly onAway: (error: Error) => void;
}

/** The console of one container on this node: one connection to its agent, however many look. */
export interface Channel extends Disposable {
  readonly viewers: ReadonlySet<Viewer>;
  isLive(): boolean;
  join(viewer: Viewer): void;
  leave(viewer: Viewer): void;
  endAll(reason: CloseReason): void;
}

/** Lines that whoever comes anew is shown, as far as the ring has them. */
const RECENT = 500;

export function createChannel(options: ChannelOptions): Channel {
  const { consoles, address, limits, onEmpty } = options;
  const viewers = new Set<Viewer>();
  let source: Source | undefined;
  let lingering: NodeJS.Timeout | undefined;
  let isClosed = false;
  let isAway = false;
  const tell = (act: (viewer: Viewer) => void) => {
    for (const viewer of viewers) act(viewer);
  };
  const transcript = createTranscript({ ...limits, onMore: () => tell((one) => one.pump()) });

  function turn(away: boolean): void {
    if (isAway === away) return;
    isAway = away;
    tell((one) => one.note(away ? 'away' : 'back'));
  }

  function started(hello: ConsoleHello): void {
    turn(false);
    if (source?.epoch === hello.epoch) {
      if (hello.from > transcript.next()) transcript.jump(hello.from);
      return;
    }
    transcript.restart(hello.from);
    const begun = createSource(hello);
    source = begun;
    tell((one) => one.begin(begun));
  }

  function createSource({ epoch, isNumbered }: ConsoleHello): Source {
    const pages = createPages({ consoles, address, epoch });
    const { first, told, at } = transcript;
    return {
      ...{ epoch, at, next: told },
      recent: () => Math.max(first(), told() - RECENT),
      fetch: async (offset) => (isNumbered ? pages.find(offset) : { from: offset, to: first() }),
    };
  }

  const endAll = (reason: CloseReason) => tell((one) => one.end(reason));
  const upstream = openUpstream({
    ...options,
    start: () => (source ? { epoch: source.epoch, from: transcript.next() } : { tail: RECENT }),
    listener: {
      started,
      output: transcript.write,
      lost() {
        transcript.flush();
        turn(true);
      },
    },
    onAway(error) {
      options.onAway(error);
      turn(true);
    },
    onGone: () => endAll('agent_gone'),
  });

  function close(): void {
    isClosed = true;
    clearTimeout(lingering);
    upstream[Symbol.dispose]();
    transcript.flush();
  }

  return {
    viewers,
    isLive: () => upstream.isLive,
    join(viewer) {
      clearTimeout(lingering);
      viewers.add(viewer);
      if (source) viewer.begin(source);
      if (isAway) viewer.note('away');
    },
    leave(viewer) {
      if (!viewers.delete(viewer) || viewers.size > 0 || isClosed) return;
      lingering = setTimeout(() => {
        close();
        onEmpty();
      }, limits.lingerMs);
    },
    endAll,
    [Symbol.dispose]: close,
  };
}
