import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { inspect } from 'node:util';
import { expect, test } from 'vitest';

import { createAgentClient } from '../../src/clients/agent/client.ts';
import { buildAgentPayload } from '../../src/clients/agent/payload.ts';

const IP = '127.0.0.1';
const TOKEN = 'agent-token-that-nobody-may-see';
const PAYLOAD = buildAgentPayload({
  ctype: 'dev',
  vmid: 6001,
  runtime: 'node',
  version: '24',
  memoryMiB: 2048,
});

test('health is any 2xx, and no answer is an answer', async () => {
  await using up = await setUp((_, response) => response.writeHead(204).end());
  await using ill = await setUp((_, response) => response.writeHead(500).end('oops'));
  await using gone = await setUp((request) => request.socket.destroy());

  expect(await up.client.health(IP)).toEqual({ alive: true });
  expect(await ill.client.health(IP)).toEqual({ alive: false, reason: 'http_500' });
  expect(await gone.client.health(IP)).toEqual({ alive: false, reason: 'no_answer' });
});

test.each([
  [200, { ready: true }, { ready: true }],
  [
    200,
    { ready: true, readySource: 'minecraft_ping' },
    { ready: true, readySource: 'minecraft_ping' },
  ],
  [200, { ready: false }, { ready: false, reason: 'not_ready' }],
  [200, { ready: 'true' }, { ready: false, reason: 'not_ready' }],
  [200, 'ok', { ready: false, reason: 'not_ready' }],
  [202, { ready: true }, { ready: false, reason: 'http_202' }],
  [503, { ready: false, reason: 'world loading' }, { ready: false, reason: 'world loading' }],
  [404, {}, { ready: false, reason: 'http_404' }],
])('%i %j means %j', async (status, body, readiness) => {
  await using agent = await setUp((_, response) => json(response, status, body));

  expect(await agent.client.ready(IP)).toEqual(readiness);
});

test('the state is read, and what this version does not know does not hurt', async () => {
  const answers = [
    { state: 'running', players: 3, uptimeSeconds: 60, crashCount: 0, map: 'hub' },
    { state: 'hibernating', players: 'many' },
    { error: 'no state' },
  ];
  await using agent = await setUp((_, response) => json(response, 200, answers.shift()));

  expect(await agent.client.status(IP)).toEqual({
    state: 'running',
    players: 3,
    uptimeSeconds: 60,
    crashCount: 0,
  });
  expect(await agent.client.status(IP)).toMatchObject({ state: 'unknown' });
  await expect(agent.client.status(IP)).rejects.toMatchObject({ reason: 'answer_unreadable' });
});

test('an order carries the token and the payload', async () => {
  await using agent = await setUp((_, response) => json(response, 202, { ok: true }));

  await agent.client.configure(IP, PAYLOAD);
  await agent.client.control(IP, 'restart');

  expect(agent.seen).toEqual([
    { call: 'POST /config', authorization: `Bearer ${TOKEN}`, body: JSON.stringify(PAYLOAD) },
    { call: 'POST /restart', authorization: `Bearer ${TOKEN}`, body: '{}' },
  ]);
});

test.each([
  [400, { reason: 'agent_refused', retryable: false, agentError: 'invalid_payload' }],
  [409, { reason: 'agent_refused', retryable: false, agentError: 'invalid_payload' }],
  [429, { reason: 'agent_failed', retryable: true, agentError: 'invalid_payload' }],
  [500, { reason: 'agent_failed', retryable: true, agentError: 'invalid_payload' }],
])('an order answered with %i is %j', async (status, { reason, retryable, agentError }) => {
  await using agent = await setUp((_, response) =>
    json(response, status, { error: 'invalid_payload' }),
  );

  await expect(agent.client.configure(IP, PAYLOAD)).rejects.toMatchObject({
    reason,
    retryable,
    details: { status, agentError },
  });
});

test('a lost connection and a silent agent may be asked again, and give no secret away', async () => {
  await using gone = await setUp((request) => request.socket.destroy());
  await using silent = await setUp(() => {}, { timeoutMs: 50 });

  const lost = await gone.client.configure(IP, PAYLOAD).catch((error: unknown) => error);
  const late = await silent.client.configure(IP, PAYLOAD).catch((error: unknown) => error);

  expect(lost).toMatchObject({ reason: 'no_answer', retryable: true });
  expect(late).toMatchObject({ reason: 'timed_out', retryable: true });
  expect(inspect([lost, late], { depth: 10, showHidden: true })).not.toContain(TOKEN);
});

test('a question is asked again when the connection was just closed, an order is not', async () => {
  await using agent = await setUp((request, response) => {
    if (agent.seen.length % 2 === 1) request.socket.destroy();
    else json(response, 200, { state: 'idle' });
  });

  const status = await agent.client.status(IP);
  const order = agent.client.control(IP, 'start');
  await expect(order).rejects.toMatchObject({ reason: 'no_answer', retryable: true });

  expect(status).toEqual({ state: 'idle' });
  expect(agent.seen.map(({ call }) => call)).toEqual(['GET /status', 'GET /status', 'POST /start']);
});

test('an answer without end is cut off', async () => {
  const options = { maxAnswerBytes: 1_000 };
  await using agent = await setUp((_, response) => {
    const timer = setInterval(() => response.write('x'.repeat(500)), 1);
    response.on('close', () => clearInterval(timer));
  }, options);

  await expect(agent.client.status(IP)).rejects.toMatchObject({ reason: 'answer_too_large' });
});

test('a caller that gives up gets its own reason back', async () => {
  await using agent = await setUp(() => {});
  const giveUp = new AbortController();
  const stopping = new Error('the worker stops');

  const pending = agent.client.ready(IP, { signal: giveUp.signal });
  await once(agent.server, 'request');
  giveUp.abort(stopping);

  await expect(pending).rejects.toBe(stopping);
});

test('an agent is addressed by IP only', async () => {
  await using agent = await setUp(() => {});

  await expect(agent.client.status('metadata.internal')).rejects.toMatchObject({
    code: 'invalid_input',
  });
});

interface Seen {
  readonly call: string;
  readonly authorization: string | undefined;
  readonly body: string;
}

/** An agent that does what the test says, and a client of it. */
async function setUp(
  respond: (request: IncomingMessage, response: ServerResponse) => void,
  options: { timeoutMs?: number; maxAnswerBytes?: number } = {},
) {
  const seen: Seen[] = [];
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request.setEncoding('utf8')) body += chunk;
    const { authorization } = request.headers;
    seen.push({ call: `${request.method} ${request.url}`, authorization, body });
    respond(request, response);
  });
  server.listen(0, IP);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const client = createAgentClient({ port, token: TOKEN, timeoutMs: 5_000, ...options });
  return {
    client,
    server,
    seen,
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
      await client[Symbol.asyncDispose]();
    },
  };
}

function json(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}
