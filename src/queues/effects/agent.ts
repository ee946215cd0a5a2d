import { setTimeout as delay } from 'node:timers/promises';

import type { AgentClient } from '../../clients/agent/client.ts';
import { buildAgentPayload } from '../../clients/agent/payload.ts';
import { UpstreamError } from '../../errors.ts';
import type { Effect } from '../../machines/instance/types.ts';
import type { Performers } from './performer.ts';
import { poll } from './poll.ts';

export interface AgentOptions {
  readonly agents: AgentClient;
  readonly pollMs: number;
  /** How long a booting container's agent may take to listen. */
  readonly bootTimeoutMs: number;
}

type AgentKind = Extract<keyof Performers, `agent.${string}`>;

/** Unanswered polls in a row before an agent counts as unreachable. */
const MISSES_MAX = 3;

const nothingElse = { installStep: null, state: null, crashCount: null } as const;

export function createAgentPerformers(options: AgentOptions): Pick<Performers, AgentKind> {
  const { agents, pollMs, bootTimeoutMs } = options;
  return {
    async 'agent.configure'(effect, { signal }) {
      const { ip, opId } = effect;
      await poll(async () => ((await agents.health(ip, { signal })).alive ? true : null), {
        signal,
        pollMs,
        timeoutMs: bootTimeoutMs,
        failure: { reason: 'agent_silent', message: `the agent at ${ip} does not answer` },
      });
      await agents.configure(ip, payloadOf(effect), { signal });
      return { type: 'agent.configured', opId };
    },

    async 'agent.await'({ ip }, { signal, progress }) {
      let told = '';
      let misses = 0;
      for (;;) {
        signal.throwIfAborted();
        const { ready, readySource = null } = await agents.ready(ip, { signal });
        if (ready) {
          return { type: 'agent.observed', condition: 'ready', readySource, ...nothingElse };
        }
        const status = await agents.status(ip, { signal }).catch((error: unknown) => {
          if (error instanceof UpstreamError && error.retryable) return null;
          throw error;
        });
        misses = status ? 0 : misses + 1;
        if (status?.state === 'error' || status?.state === 'crashed') {
          throw new UpstreamError(status.error ?? `the agent reports ${status.state}`, {
            reason: `agent_${status.state}`,
            retryable: false,
          });
        }
        const condition = misses < MISSES_MAX ? 'alive' : 'unreachable';
        const installStep = status?.installStep ?? null;
        if (
          (status || condition === 'unreachable') &&
          told !== `${condition} ${installStep} ${status?.state}`
        ) {
          told = `${condition} ${installStep} ${status?.state}`;
          const event = {
            type: 'agent.observed',
            condition,
            readySource: null,
            installStep,
            state: status?.state ?? null,
            crashCount: null,
          } as const;
          await progress(event);
        }
        await delay(pollMs, undefined, { signal });
      }
    },

    async 'agent.restart'({ ip, opId }, { signal }) {
      // Whoever did this before us, and be it the agent itself, has done it.
      if ((await agents.status(ip, { signal })).state === 'crashed') {
        await agents.control(ip, 'start', { signal });
      }
      return { type: 'agent.restarted', opId };
    },
  };
}

function payloadOf({ ctype, vmid, ports, payload }: Extract<Effect, { kind: 'agent.configure' }>) {
  const { version, memoryMiB } = payload;
  if (ctype === 'dev') {
    return buildAgentPayload({ ctype, vmid, runtime: payload.runtime ?? '', version, memoryMiB });
  }
  return buildAgentPayload({
    ctype,
    vmid,
    game: payload.game ?? '',
    variant: payload.variant ?? '',
    version,
    ...(payload.world !== null && { world: payload.world }),
    ports,
    memoryMiB,
  });
}
