import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { inject } from 'vitest';

import { COMPILED } from '../../lab/compiled.ts';
import { until } from '../support/until.ts';

export const MINECRAFT = {
  vmid: 5001,
  container_type: 'game',
  game: 'minecraft',
  variant: 'paper',
  version: '1.21.1',
  world: 'world',
  ports: [],
  artifact_path: 'minecraft/paper/1.21.1/server.jar',
  java_path: 'java/21/OpenJDK21.tar.gz',
  memory_mb: 2048,
};

export const TERRARIA = {
  vmid: 5002,
  container_type: 'game',
  game: 'terraria',
  variant: 'vanilla',
  version: '1.4.4',
  memory_mb: 512,
};

export const DEV = {
  vmid: 6001,
  container_type: 'dev',
  runtime: 'node',
  version: '24',
  memory_mb: 512,
};

interface Status {
  readonly state: string;
  readonly installStep?: string;
  readonly error?: string;
  readonly crashCount: number;
  readonly players: number;
  readonly uptimeSeconds: number;
  readonly protocolVersion?: number;
  readonly port?: number;
}

interface Answer {
  readonly status: number;
  readonly body: Record<string, unknown>;
}

interface Order {
  readonly root: string;
  readonly host: string;
  readonly token?: string;
  readonly stepMs?: number;
}

/** An agent in a process of its own, on the port that all agents have. */
async function startAgent({ root, host, token, stepMs = 5 }: Order) {
  const { PATH } = process.env;
  const child = spawn(process.execPath, [inject('programs').agent], {
    detached: true,
    stdio: ['pipe', 'pipe', 'inherit'],
    env: {
      PATH,
      NODE_COMPILE_CACHE: COMPILED,
      AGENT_HOST: host,
      AGENT_PORT: '18888',
      AGENT_ROOT: root,
      AGENT_STEP_MS: String(stepMs),
      AGENT_LIFELINE: 'stdin',
      ...(token ? { AGENT_TOKEN: token } : {}),
    },
  });
  const exited = once(child, 'exit');
  await once(createInterface({ input: child.stdout }), 'line');
  const url = `http://${host}:18888`;
  const headers = token ? { authorization: `Bearer ${token}` } : undefined;

  async function send(method: string, path: string, body?: object): Promise<Answer> {
    const response = await fetch(url + path, {
      method,
      ...(headers ? { headers } : {}),
      ...(body ? { body: JSON.stringify(body) } : {}),
    });
    return { status: response.status, body: (await response.json()) as Answer['body'] };
  }

  const status = async () => (await send('GET', '/status')).body as unknown as Status;
  return {
    url,
    host,
    send,
    status,
    configure: (payload: object) => send('POST', '/config', payload),
    ready: () => send('GET', '/ready'),
    reached: (state: string, timeoutMs = 10_000) =>
      until(async () => (await status()).state === state && (await status()), {
        what: `the state ${state}`,
        timeoutMs,
      }),
    async [Symbol.asyncDispose]() {
      child.stdin.destroy();
      await exited;
    },
  };
}

export type TestAgent = Awaited<ReturnType<typeof startAgent>>;

export async function setUp(order: { token?: string; stepMs?: number; faults?: object } = {}) {
  await using opened = new AsyncDisposableStack();
  const root = mkdtempSync(join(tmpdir(), 'zpack-agent-'));
  opened.defer(() => rmSync(root, { recursive: true, force: true }));
  const host = await freeHost();
  mkdirSync(root, { recursive: true });
  const setFaults = (faults: object) =>
    writeFileSync(join(root, 'agent-faults.json'), JSON.stringify(faults));
  if (order.faults) setFaults(order.faults);
  let agent = await startAgent({ root, host, ...order });
  opened.defer(() => agent[Symbol.asyncDispose]());
  const everything = opened.move();
  return {
    root,
    setFaults,
    get agent() {
      return agent;
    },
    async restart() {
      await agent[Symbol.asyncDispose]();
      agent = await startAgent({ root, host, ...order });
    },
    [Symbol.asyncDispose]: () => everything.disposeAsync(),
  };
}

/** Tests run side by side: each agent gets an address of its own, below those of the stand-ins. */
async function freeHost(): Promise<string> {
  for (;;) {
    const [b, c] = [Math.floor(Math.random() * 250) + 1, Math.floor(Math.random() * 250) + 2];
    const host = `127.7.${b}.${c}`;
    const probe = createServer();
    try {
      probe.listen(18_888, host);
      await once(probe, 'listening');
      return host;
    } catch {
      // Somebody has it.
    } finally {
      probe.close();
    }
  }
}

/** Opens the console and collects its lines. */
export async function openConsole(agent: TestAgent) {
  const lines: string[] = [];
  const socket = new WebSocket(`${agent.url.replace('http', 'ws')}/console/stream?serverId=5001`);
  socket.addEventListener('message', ({ data }) => lines.push(String(data)));
  await new Promise<void>((resolve, reject) => {
    socket.addEventListener('open', () => resolve());
    socket.addEventListener('error', () => reject(new Error('the console was refused')));
  });
  return {
    lines,
    send: (line: string) => socket.send(line),
    said: (pattern: RegExp) =>
      until(() => lines.find((line) => pattern.test(line)), { what: `${pattern} on the console` }),
    [Symbol.dispose]: () => socket.close(),
  };
}
