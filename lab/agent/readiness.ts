import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { connect } from 'node:net';

import type { Game } from './games.ts';
import { pingMinecraft } from './minecraft-ping.ts';

export interface Probed {
  readonly readySource: 'minecraft_ping' | 'tcp_probe' | 'udp_probe' | 'runtime_check';
  readonly players?: number;
  readonly protocolVersion?: number;
}

interface Target {
  readonly host: string;
  readonly port: number;
}

const PROBE_TIMEOUT_MS = 2_000;

/** Talks to the game as a player would; throws when nobody answers. */
export async function probeGame(protocol: Game['protocol'], target: Target): Promise<Probed> {
  if (protocol === 'minecraft') {
    const status = await pingMinecraft({ ...target, timeoutMs: PROBE_TIMEOUT_MS });
    return { readySource: 'minecraft_ping', ...status };
  }
  if (protocol === 'tcp') return await probeTcp(target);
  return await probeUdp(target);
}

export function checkRuntime(marker: string): Probed {
  if (!existsSync(marker)) throw new Error('the runtime is not installed');
  return { readySource: 'runtime_check' };
}

async function probeTcp({ host, port }: Target): Promise<Probed> {
  const socket = connect({ host, port });
  try {
    const signal = AbortSignal.timeout(PROBE_TIMEOUT_MS);
    await once(socket, 'connect', { signal });
    socket.write('probe\n');
    await once(socket, 'data', { signal });
    return { readySource: 'tcp_probe' };
  } finally {
    socket.destroy();
  }
}

async function probeUdp({ host, port }: Target): Promise<Probed> {
  const socket = createSocket('udp4');
  try {
    // Connected, so that "nobody listens" is an error at once and not a silence.
    socket.connect(port, host);
    await once(socket, 'connect');
    socket.send('probe\n');
    await once(socket, 'message', { signal: AbortSignal.timeout(PROBE_TIMEOUT_MS) });
    return { readySource: 'udp_probe' };
  } finally {
    socket.close();
  }
}
