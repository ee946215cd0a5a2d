import type { WebSocket } from 'ws';

import { ControlPlaneError } from '../../errors.ts';
import type { Roles } from '../../storage/credentials.ts';
import type { FleetEntry } from '../../view/fleet.ts';
import { addressOf } from '../agent-access.ts';
import type { Principal } from '../auth/principal.ts';
import { createPulse } from '../pulse.ts';
import type { Channel, ChannelLimits } from './channel.ts';
import type { CloseReason } from './closes.ts';
import type { SendCommand } from './commands.ts';
import { createRooms, type RoomOptions, reasonToEnd } from './rooms.ts';
import { createTypist } from './typist.ts';
import { createViewer, type Resumption, type Viewer } from './viewer.ts';

export interface ConsoleLimits extends ChannelLimits {
  readonly heartbeatMs: number;
  readonly recheckMs: number;
  readonly viewersMax: number;
  /** Of one container. */
  readonly viewersEachMax: number;
  readonly commandBytesMax: number;
}

export const CONSOLE_LIMITS = {
  heartbeatMs: 20_000,
  /** With the question itself well below the 5 s after which nobody revoked may look. */
  recheckMs: 2_000,
  lingerMs: 10_000,
  flushMs: 20,
  retryMs: { min: 100, max: 5_000 },
  commandBytesMax: 16 * 1024,
} as const;

export interface ConsoleHubOptions extends RoomOptions {
  readonly sendCommand: SendCommand;
  readonly limits: ConsoleLimits;
  readonly findRoles: (credentialIds: readonly string[], at: Date) => Promise<Roles>;
  readonly closing: AbortSignal;
}

/** Somebody who may look, at a container that is there. */
export interface Opening {
  readonly socket: WebSocket;
  readonly entry: FleetEntry;
  readonly principal: Principal;
  readonly isPlain: boolean;
  readonly resumption: Resumption | null;
}

export interface ConsoleCounts {
  readonly viewers: number;
  readonly live: number;
  readonly away: number;
  /** Since the start of this process. */
  readonly missedLines: number;
  readonly closed: ReadonlyMap<CloseReason, number>;
}

export interface ConsoleHub {
  open(opening: Opening): void;
  counts(): ConsoleCounts;
}

/** All who look at consoles on this node. */
export function createConsoleHub(options: ConsoleHubOptions): ConsoleHub {
  const { limits, logger, closing, sendCommand } = options;
  const rooms = createRooms(options);
  const viewers = new Set<Viewer>();
  const closed = new Map<CloseReason, number>();
  let missedLines = 0;
  const beat = () => {
    for (const viewer of viewers) viewer.beat();
  };
  const pulse = createPulse({ ...options, clients: viewers, beat });
  closing.addEventListener('abort', () => rooms.endAll('shutting_down'));

  function whyNot(entry: FleetEntry, channel: Channel | undefined): CloseReason | null {
    if (closing.aborted) return 'shutting_down';
    if (viewers.size >= limits.viewersMax) return 'overloaded';
    if (channel && channel.viewers.size >= limits.viewersEachMax) return 'overloaded';
    return reasonToEnd(entry) ?? (canBeReached(entry) ? null : 'agent_gone');
  }

  function enter(viewer: Viewer, channel: Channel, socket: WebSocket): void {
    socket.on('close', () => {
      channel.leave(viewer);
      viewers.delete(viewer);
      if (viewers.size === 0) pulse.stop();
    });
    viewers.add(viewer);
    pulse.start();
    channel.join(viewer);
  }

  return {
    open(opening) {
      const { socket, entry, principal } = opening;
      const { vmid } = entry;
      const viewer = createViewer({
        ...opening,
        limits: { commandBytes: limits.commandBytesMax, heartbeatMs: limits.heartbeatMs },
        onMissed: (lines) => {
          missedLines += lines;
        },
        onEnd: (why) => closed.set(why, (closed.get(why) ?? 0) + 1),
      });
      socket.on('error', () => socket.terminate());
      const channel = rooms.find(entry);
      const reason = whyNot(entry, channel);
      if (reason) return viewer.end(reason);
      const type = createTypist({
        ...{ vmid, viewer, sendCommand },
        onBug: (err) => logger.error({ err, vmid, userId: principal.userId }, 'a command failed'),
      });
      socket.on('message', (data) => type(String(data)));
      enter(viewer, channel ?? rooms.open(entry), socket);
    },
    counts: () => ({ viewers: viewers.size, ...rooms.counts(), missedLines, closed }),
  };
}

function canBeReached(entry: FleetEntry): boolean {
  try {
    addressOf(entry);
    return true;
  } catch (error) {
    if (error instanceof ControlPlaneError) return false;
    throw error;
  }
}
