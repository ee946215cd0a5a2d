import type { Socket } from 'node:net';

import { type Handshake, packetOf, takePacket, textOf } from './packets.ts';

interface Refusal {
  readonly handshake: Handshake;
  /** What the player has already sent after the handshake. */
  readonly rest: Buffer;
  readonly text: string;
}

const DISCONNECT_ID = 0;
const STATUS_ID = 0;
const PING_ID = 1;
const REQUEST_BYTES_MAX = 1_024;
const GOODBYE_MS = 5_000;

/** Says to a player, in the words of the protocol, that there is nothing to play on. */
export function turnAway(player: Socket, { handshake, rest, text }: Refusal): void {
  const timer = setTimeout(() => player.destroy(), GOODBYE_MS);
  player.once('close', () => clearTimeout(timer));
  player.once('end', () => player.end());
  if (handshake.wants === 'status') answerStatus(player, { handshake, rest, text });
  else player.end(packetOf(DISCONNECT_ID, textOf(JSON.stringify({ text }))));
  // Closed with something unread, the connection would break before the text is seen.
  player.resume();
}

function answerStatus(player: Socket, { handshake, rest, text }: Refusal): void {
  const status = JSON.stringify({
    version: { name: 'Velocity', protocol: handshake.protocol },
    players: { max: 0, online: 0 },
    description: { text },
  });
  let received = Buffer.alloc(0);

  const read = (chunk: Buffer): void => {
    received = Buffer.concat([received, chunk]);
    if (received.length > REQUEST_BYTES_MAX) throw new Error('a question is shorter than that');
    for (let packet = takePacket(received); packet; packet = takePacket(received)) {
      received = Buffer.from(packet.rest);
      if (packet.id === STATUS_ID) player.write(packetOf(STATUS_ID, textOf(status)));
      if (packet.id === PING_ID) player.end(packetOf(PING_ID, packet.body));
    }
  };
  const readOrDrop = (chunk: Buffer) => {
    try {
      read(chunk);
    } catch {
      player.destroy();
    }
  };
  readOrDrop(rest);
  player.on('data', readOrDrop);
}
