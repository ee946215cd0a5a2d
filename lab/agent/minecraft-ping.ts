import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { z } from 'zod';

/**
 * What a player's server list does: handshake, status request, JSON. Written out because the
 * library for it costs the agent 90 MB and most of a second.
 */
interface MinecraftStatus {
  readonly players: number;
  readonly protocolVersion: number;
}

interface Target {
  readonly host: string;
  readonly port: number;
  readonly timeoutMs: number;
}

const statusSchema = z.object({
  version: z.object({ protocol: z.int() }),
  players: z.object({ online: z.int() }),
});

const ANY_PROTOCOL = -1;
const NEXT_STATE_STATUS = 1;
const ANSWER_BYTES_MAX = 256 * 1024;

export async function pingMinecraft({ host, port, timeoutMs }: Target): Promise<MinecraftStatus> {
  const signal = AbortSignal.timeout(timeoutMs);
  const socket = connect({ host, port, signal });
  try {
    await once(socket, 'connect', { signal });
    socket.write(
      packet(0, varint(ANY_PROTOCOL), text(host), uint16(port), varint(NEXT_STATE_STATUS)),
    );
    socket.write(packet(0));
    const { version, players } = statusSchema.parse(JSON.parse(await readStatus(socket)));
    return { players: players.online, protocolVersion: version.protocol };
  } finally {
    socket.destroy();
  }
}

async function readStatus(socket: Socket): Promise<string> {
  let received = Buffer.alloc(0);
  for await (const chunk of socket) {
    received = Buffer.concat([received, chunk]);
    if (received.length > ANSWER_BYTES_MAX) break;
    const json = parseStatus(received);
    if (json !== undefined) return json;
  }
  throw new Error('the connection ended before the status');
}

/** length, packet id, length of the text, text; undefined while some of it is missing. */
function parseStatus(bytes: Buffer): string | undefined {
  let offset = 0;
  const next = (): number | undefined => {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = bytes[offset];
      if (byte === undefined) return undefined;
      offset += 1;
      value |= (byte & 127) << shift;
      if (byte < 128) return value;
    }
    throw new Error('the answer is no Minecraft status');
  };
  next();
  next();
  const length = next();
  if (length === undefined || bytes.length < offset + length) return undefined;
  return bytes.toString('utf8', offset, offset + length);
}

function packet(id: number, ...fields: Buffer[]): Buffer {
  const content = Buffer.concat([varint(id), ...fields]);
  return Buffer.concat([varint(content.length), content]);
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value >>> 0;
  while (rest > 127) {
    bytes.push((rest & 127) | 128);
    rest >>>= 7;
  }
  return Buffer.from([...bytes, rest]);
}

function text(value: string): Buffer {
  return Buffer.concat([varint(Buffer.byteLength(value)), Buffer.from(value)]);
}

function uint16(value: number): Buffer {
  return Buffer.from([value >> 8, value & 255]);
}
