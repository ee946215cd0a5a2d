import { LRUCache } from 'lru-cache';
import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible';

import type { ActorSystem } from '../../actors/system.ts';
import type { AgentClient } from '../../clients/agent/client.ts';
import { ControlPlaneError } from '../../errors.ts';
import type { FindEntry } from '../../view/entry.ts';
import { addressOf, forward, requireUnrestored } from '../agent-access.ts';
import type { Principal } from '../auth/principal.ts';
import { requireEntry } from '../routes/servers.ts';
import type { Command } from './frames.ts';

export interface SentCommand extends Command {
  readonly vmid: number;
  readonly principal: Principal;
  readonly signal?: AbortSignal;
}

/**
 * Types a line into the console of a game, wherever it came from. Of those with the same id, of
 * the same account for the same container, one is typed, and all are told how that went.
 * @throws ControlPlaneError `not_found`, `limit_exceeded`, `agent_refused`, `upstream_failed`, …
 */
export type SendCommand = (command: SentCommand) => Promise<void>;

export interface CommandOptions {
  readonly find: FindEntry;
  readonly actors: Pick<ActorSystem, 'read'>;
  readonly agents: Pick<AgentClient, 'command'>;
  /** In a second, for each container on this node; an account has a fifth of them. */
  readonly perS: number;
}

const KNOWN_MAX = 10_000;
const SHARE = 5;

export function createCommands({ find, actors, agents, perS }: CommandOptions): SendCommand {
  const known = new LRUCache<string, Promise<void>>({ max: KNOWN_MAX });
  const ofContainer = new RateLimiterMemory({ keyPrefix: 'c', points: perS, duration: 1 });
  const ofAccount = new RateLimiterMemory({
    ...{ keyPrefix: 'a', points: Math.ceil(perS / SHARE), duration: 1 },
  });

  async function type({ vmid, principal, text, id, signal }: SentCommand, key: string) {
    await take(ofAccount, `${vmid} ${principal.userId}`);
    await take(ofContainer, String(vmid));
    const entry = await requireEntry(find, vmid, principal);
    const ip = addressOf(entry);
    await requireUnrestored(actors, entry);
    const command = id === undefined ? { text } : { text, id: key };
    await forward(() => agents.command(ip, command, { signal }));
  }

  return async (command) => {
    const { vmid, principal, id } = command;
    // Before anything is remembered of somebody who may not.
    await requireEntry(find, vmid, principal);
    const key = `${principal.userId}:${id}`;
    if (id === undefined) return type(command, key);
    const place = `${vmid} ${key}`;
    const before = known.get(place);
    if (before) return before;
    const typing = type(command, key).catch((error: unknown) => {
      // It may be sent again; an agent that has typed it knows its id.
      known.delete(place);
      throw error;
    });
    known.set(place, typing);
    return typing;
  };
}

async function take(limiter: RateLimiterMemory, key: string): Promise<void> {
  try {
    await limiter.consume(key);
  } catch (error) {
    if (!(error instanceof RateLimiterRes)) throw error;
    const retryAfterS = Math.max(1, Math.ceil(error.msBeforeNext / 1000));
    throw new ControlPlaneError('limit_exceeded', 'too many commands at once', {
      details: { retryAfterS },
    });
  }
}
