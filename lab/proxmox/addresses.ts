import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:net';

/**
 * Two stand-ins share one machine and its 127.0.0.0/8. Each claims a /20 by listening on the first
 * address of it: the kernel gives the claim back when the process ends, however it ends.
 */
export interface AddressBlock extends AsyncDisposable {
  readonly prefix: string;
  address(offset: number): string;
  freeOffset(taken: ReadonlySet<number>): number;
}

const LOCK_PORT = 18_887;
const FIRST_OFFSET = 16;
const BLOCK_SIZE = 4_096;
const ATTEMPTS_MAX = 200;

export async function claimBlock(wanted: string | undefined): Promise<AddressBlock> {
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
    const prefix = attempt === 0 && wanted ? wanted : randomPrefix();
    const lock = await tryListen(`${prefix}.1`);
    if (lock) return createBlock(prefix, lock);
  }
  throw new Error('no free block of loopback addresses was found');
}

/** 127.0 to 127.9 are left to others: resolvers and people like to use them. */
function randomPrefix(): string {
  return `127.${randomInt(10, 250)}.${randomInt(0, 16) * 16}`;
}

async function tryListen(host: string): Promise<Server | undefined> {
  const server = createServer((socket) => socket.destroy());
  try {
    server.listen({ host, port: LOCK_PORT, exclusive: true });
    await once(server, 'listening');
    return server;
  } catch {
    server.close();
    return undefined;
  }
}

function createBlock(prefix: string, lock: Server): AddressBlock {
  const [a, b, c] = prefix.split('.').map(Number);
  return {
    prefix,
    address: (offset) => `${a}.${b}.${(c ?? 0) + (offset >> 8)}.${offset & 255}`,
    freeOffset(taken) {
      for (let offset = FIRST_OFFSET; offset < BLOCK_SIZE; offset += 1) {
        const last = offset & 255;
        if (last !== 0 && last !== 255 && !taken.has(offset)) return offset;
      }
      throw new Error(`the address block ${prefix} is full`);
    },
    async [Symbol.asyncDispose]() {
      lock.close();
      await once(lock, 'close');
    },
  };
}
