import type { AgentConsole } from '../../clients/agent/console.ts';
import { nameOf } from '../../machines/instance/status.ts';
import type { Logger } from '../../telemetry/logger.ts';
import type { Fleet, FleetEntry } from '../../view/fleet.ts';
import { addressOf } from '../agent-access.ts';
import { type Channel, type ChannelLimits, createChannel } from './channel.ts';
import type { CloseReason } from './closes.ts';

export interface RoomOptions {
  readonly consoles: AgentConsole;
  readonly fleet: Pick<Fleet, 'get' | 'versionOf' | 'subscribe'>;
  readonly limits: ChannelLimits;
  readonly logger: Logger;
  readonly now: () => number;
  readonly random: () => number;
}

/** The channels of this node, each for as long as its container has a console to be seen. */
export interface Rooms {
  find(entry: FleetEntry): Channel | undefined;
  open(entry: FleetEntry): Channel;
  endAll(reason: CloseReason): void;
  counts(): { readonly live: number; readonly away: number };
}

interface Room {
  readonly channel: Channel;
  /** `entry`: as it was last seen in the fleet, or where it was found. */
  readonly seen: { entry: FleetEntry };
}

/** News of the fleet are many, and of most containers nobody looks at the console. */
const LOOK_PAUSE_MS = 100;

export function createRooms(options: RoomOptions): Rooms {
  const { fleet, logger } = options;
  const rooms = new Map<number, Room>();
  let looking: NodeJS.Timeout | undefined;

  function look(): void {
    looking = undefined;
    for (const room of rooms.values()) {
      const { id, vmid } = room.seen.entry;
      const now = fleet.get(vmid);
      // Another node may have made it a moment ago, and this one not heard of it yet.
      if (now === room.seen.entry || (!now && fleet.versionOf(id) === 0)) continue;
      if (now?.id !== id) {
        end(room, 'deleted');
        continue;
      }
      room.seen.entry = now;
      const reason = reasonToEnd(now);
      if (reason) end(room, reason);
    }
  }

  /** Whoever comes next finds another one. */
  function end({ seen, channel }: Room, reason: CloseReason): void {
    rooms.delete(seen.entry.vmid);
    channel.endAll(reason);
    channel[Symbol.dispose]();
  }

  fleet.subscribe(() => {
    if (rooms.size === 0 || looking) return;
    looking = setTimeout(look, LOOK_PAUSE_MS).unref();
  });

  return {
    find({ vmid, id }) {
      const room = rooms.get(vmid);
      if (!room || room.seen.entry.id === id) return room?.channel;
      // The number is that of another container by now.
      end(room, 'deleted');
      return undefined;
    },
    open(entry) {
      const { vmid } = entry;
      const seen = { entry };
      const channel = createChannel({
        ...options,
        address: () => addressOf(seen.entry),
        onEmpty: () => rooms.delete(vmid),
        onAway: (err) => logger.info({ vmid, reason: err.message }, 'a console is away'),
      });
      rooms.set(vmid, { channel, seen });
      return channel;
    },
    endAll(reason) {
      for (const room of rooms.values()) end(room, reason);
    },
    counts() {
      const live = [...rooms.values()].filter(({ channel }) => channel.isLive()).length;
      return { live, away: rooms.size - live };
    },
  };
}

/** Of a container whose console is nobody's to see any more. */
export function reasonToEnd({ state: { value, context } }: FleetEntry): CloseReason | null {
  const provisioning = nameOf(value['provisioning']);
  if (provisioning === 'deleting' || provisioning === 'deleted') return 'deleted';
  return context.entitlement.suspendedAt === null ? null : 'suspended';
}
