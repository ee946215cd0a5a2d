import type { Socket } from 'node:net';

import { type Dial, type Listener, listenTcp, splice, type Target } from '../sockets.ts';
import { type Handshake, type Packet, packetOf, readHandshake, takePacket } from './packets.ts';
import { turnAway } from './turn-away.ts';

interface ProxyOptions extends Target {
  /** Where the server is that players reach by this hostname. */
  readonly route: (hostname: string) => Target | undefined;
}

const HANDSHAKE_TIMEOUT_MS = 5_000;
/** A living client and a living server say something more often than this. */
const SILENCE_MAX_MS = 30_000;

/** Where players connect. It reads their first packet, and forwards bytes from then on. */
export function startProxy({ host, port, route }: ProxyOptions): Promise<Listener> {
  return listenTcp({
    host,
    port,
    async accept(player, dial) {
      const { handshake, packet } = await greet(player);
      const target = route(handshake.hostname);
      const backend = target ? await dialOrNone(dial, target) : undefined;
      if (!backend) {
        const text = target ? 'The server does not answer.' : 'There is no server of this name.';
        turnAway(player, { handshake, rest: packet.rest, text });
        return;
      }
      player.setTimeout(SILENCE_MAX_MS, () => player.destroy());
      backend.write(Buffer.concat([packetOf(packet.id, packet.body), packet.rest]));
      splice(player, backend);
    },
  });
}

function dialOrNone(dial: Dial, target: Target): Promise<Socket | undefined> {
  return dial(target).catch(() => undefined);
}

/** Reads the handshake, and no further than what came along with it. */
function greet(player: Socket): Promise<{ handshake: Handshake; packet: Packet }> {
  return new Promise((resolve, reject) => {
    let received = Buffer.alloc(0);
    const timer = setTimeout(() => player.destroy(), HANDSHAKE_TIMEOUT_MS);
    const end = () => {
      clearTimeout(timer);
      player.pause();
      player.off('data', read);
    };
    const leave = () => {
      end();
      reject(new Error('the player left without a word'));
    };
    const read = (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      try {
        const packet = takePacket(received);
        if (!packet) return;
        const handshake = readHandshake(packet);
        player.off('end', leave).off('close', leave);
        end();
        resolve({ handshake, packet });
      } catch (error) {
        end();
        reject(error);
      }
    };
    player.once('end', leave).once('close', leave).on('data', read);
  });
}
