import { flushCompileCache } from 'node:module';
import { z } from 'zod';

import { readFaults } from './faults.ts';
import { startAgent } from './server.ts';

const environment = z.object({
  AGENT_HOST: z.string().default('127.0.0.1'),
  AGENT_PORT: z.coerce.number().int().min(0).max(65_535).default(18_888),
  AGENT_ROOT: z.string().min(1),
  AGENT_TOKEN: z.string().min(1).optional(),
  AGENT_STEP_MS: z.coerce.number().int().nonnegative().default(200),
  AGENT_CODE_SERVER: z.string().min(1).optional(),
  AGENT_LIFELINE: z.literal('stdin').optional(),
});
const env = environment.parse(process.env);

if (env.AGENT_LIFELINE) {
  // Whoever started the container holds the other end. When that is gone, so are we, with every
  // process of the group: a signal to group 0 reaches the sender's own.
  process.stdin.on('end', () => process.kill(0, 'SIGKILL'));
  process.stdin.on('error', () => process.kill(0, 'SIGKILL'));
  process.stdin.resume();
}

const agent = await startAgent({
  host: env.AGENT_HOST,
  port: env.AGENT_PORT,
  root: env.AGENT_ROOT,
  token: env.AGENT_TOKEN,
  stepMs: env.AGENT_STEP_MS,
  codeServer: env.AGENT_CODE_SERVER,
});
console.log(`the agent listens on ${agent.url}`);
// A container that is killed has no end at which it would be written.
flushCompileCache();

let ending = false;
for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.on(signal, () => {
    if (ending || readFaults(env.AGENT_ROOT).ignoreShutdown) return;
    ending = true;
    agent[Symbol.asyncDispose]().then(
      () => process.exit(0),
      () => process.exit(1),
    );
  });
}
