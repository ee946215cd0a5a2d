import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

import { WAYS } from '../../lab/agent/misbehave.ts';

type Way = keyof typeof WAYS;

/** What one agent says. A test changes it as it likes. */
export interface FakeAgent {
  ready: boolean;
  readySource: string | null;
  status: Record<string, unknown>;
  /** By path: how it answers instead, or what its answer waits for. */
  readonly answers: Record<string, Way | Promise<unknown>>;
  /** The paths it was asked for, in order. */
  readonly asked: string[];
  /** When, on the clock of this process. */
  readonly askedAt: number[];
  /** The faults that have fired. */
  readonly fired: string[];
}

/** Agents on one port of as many loopback addresses, as the containers of a network have them. */
export async function startFakeAgents() {
  const agents = new Map<string, FakeAgent>();
  const server = createServer((request, response) => {
    const agent = agents.get(request.socket.localAddress ?? '');
    if (agent) answer(agent, request, response).catch(() => request.socket.destroy());
    else request.socket.destroy();
  });
  server.listen(0, '0.0.0.0');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    add(ip: string): FakeAgent {
      const status = { state: 'running', crashCount: 0, players: 0, uptimeSeconds: 1 };
      const voice = { ready: true, readySource: 'minecraft_ping', status };
      const agent: FakeAgent = { ...voice, answers: {}, asked: [], askedAt: [], fired: [] };
      agents.set(ip, agent);
      return agent;
    },
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}

async function answer(agent: FakeAgent, request: IncomingMessage, response: ServerResponse) {
  const path = request.url ?? '';
  agent.asked.push(path);
  agent.askedAt.push(performance.now());
  const way = agent.answers[path];
  if (typeof way === 'string') {
    agent.fired.push(`${way} ${path}`);
    WAYS[way](request, response);
    return;
  }
  const { ready, readySource, status } = agent;
  await way;
  const send = (code: number, body: object) =>
    response.writeHead(code, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  if (path === '/health') send(200, { ok: true });
  else if (path === '/status') send(200, status);
  else if (ready) send(200, { ready, readySource });
  else send(503, { ready, reason: 'still loading' });
}
