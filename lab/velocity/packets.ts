/** As much of Minecraft's protocol as somebody needs who only sends players on their way. */

export interface Packet {
  readonly id: number;
  readonly body: Buffer;
  /** What came after it. */
  readonly rest: Buffer;
}

export interface Handshake {
  readonly protocol: number;
  readonly hostname: string;
  readonly wants: 'status' | 'login';
}

const HANDSHAKE_ID = 0;
const WANTS_STATUS = 1;
const VARINT_BYTES_MAX = 5;
const PACKET_BYTES_MAX = 2_048;

/** The first packet of `bytes`; undefined while some of it is missing. */
export function takePacket(bytes: Buffer): Packet | undefined {
  const length = takeVarint(bytes);
  if (!length) return undefined;
  if (length.value > PACKET_BYTES_MAX) throw new Error('no packet of a player is as long as that');
  if (length.rest.length < length.value) return undefined;
  const { value: id, rest: body } = expectVarint(length.rest.subarray(0, length.value));
  return { id, body, rest: length.rest.subarray(length.value) };
}

/** Protocol, hostname, port, intention. */
export function readHandshake({ id, body }: Packet): Handshake {
  if (id !== HANDSHAKE_ID) throw new Error('a player begins with a handshake');
  const protocol = expectVarint(body);
  const length = expectVarint(protocol.rest);
  const host = length.rest.toString('utf8', 0, length.value);
  const { value: intention } = expectVarint(length.rest.subarray(length.value + 2));
  return {
    protocol: protocol.value,
    hostname: plainHost(host),
    wants: intention === WANTS_STATUS ? 'status' : 'login',
  };
}

export function packetOf(id: number, body: Buffer): Buffer {
  const content = Buffer.concat([varint(id), body]);
  return Buffer.concat([varint(content.length), content]);
}

export function textOf(value: string): Buffer {
  return Buffer.concat([varint(Buffer.byteLength(value)), Buffer.from(value)]);
}

/** Without what Forge appends behind a NUL, and without the root's dot. */
function plainHost(host: string): string {
  const [name = ''] = host.split('\0');
  return name.replace(/\.$/, '').toLowerCase();
}

function takeVarint(bytes: Buffer): { value: number; rest: Buffer } | undefined {
  let value = 0;
  for (let index = 0; index < VARINT_BYTES_MAX; index += 1) {
    const byte = bytes[index];
    if (byte === undefined) return undefined;
    value |= (byte & 127) << (7 * index);
    if (byte < 128) return { value: value >>> 0, rest: bytes.subarray(index + 1) };
  }
  throw new Error('a number of more than five bytes');
}

function expectVarint(bytes: Buffer): { value: number; rest: Buffer } {
  const taken = takeVarint(bytes);
  if (!taken) throw new Error('the packet ends in the middle of a number');
  return taken;
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
