import type { AgentClient } from '../../clients/agent/client.ts';
import { UnavailableError } from '../../errors.ts';
import type { PolledAgent } from '../../storage/live-feed.ts';
import type { AgentTarget } from '../../storage/poll-targets.ts';
import { type AgentAnswer, sightAgent } from './agent-news.ts';
import { askAgent } from './ask-agent.ts';
import { startDeadline } from './deadline.ts';
import { weighNews } from './talk.ts';
import type { Tell } from './tell.ts';

/** One poll as metrics see it. */
export interface Polled {
  readonly answer: AgentAnswer['kind'];
  /** What is believed of the agent after it. */
  readonly condition: AgentTarget['agent'];
  readonly ms: number;
}

export interface AgentPollOptions {
  readonly agents: Pick<AgentClient, 'health' | 'ready' | 'status'>;
  readonly tell: Tell;
  /** For one poll with all its questions. */
  readonly timeoutMs: number;
  /** Unanswered polls in a row before that is news. */
  readonly missesMax: number;
  readonly now: () => number;
  readonly onPoll?: ((polled: Polled) => void) | undefined;
}

/** An agent that takes longer does not keep the others waiting. */
export const PATIENCE_MS = 250;

/**
 * Polls one agent within its deadline: notes what it said, for everybody to read, and tells its
 * instance what has changed.
 */
export function createAgentPoll({ agents, tell, timeoutMs, ...options }: AgentPollOptions) {
  const { missesMax, now, onPoll } = options;

  return async (
    target: AgentTarget,
    before: PolledAgent | undefined,
    note: (polled: PolledAgent) => void,
    shutdown: AbortSignal,
  ): Promise<void> => {
    const begunAt = performance.now();
    using deadline = startDeadline(timeoutMs, shutdown);
    const answer = await askAgent(agents, target.ip, deadline.signal);
    // Cut short by ourselves: that says nothing of the agent.
    if (shutdown.aborted) return;
    const ms = performance.now() - begunAt;
    if (answer.kind !== 'heard' && ms > timeoutMs + STALL_MS) throw stalled(ms);
    const misses = answer.kind === 'heard' ? 0 : missesOf(target, before) + 1;
    const seen = sightAgent(target, answer, { misses, missesMax });
    const condition = seen?.condition ?? target.agent;
    onPoll?.({ answer: answer.kind, condition, ms });
    const askedAt = now();
    const seenAt = answer.kind === 'silent' ? (before?.seenAt ?? NEVER) : askedAt;
    const numbers = numbersOf(answer, seen ? undefined : before);
    const spoken = { busyUntil: before?.busyUntil ?? 0, at: askedAt };
    const { told, busyUntil } = weighNews(target, seen, spoken);
    const isSlow = ms > PATIENCE_MS;
    note({ ...numbers, seenAt, askedAt, condition, misses, isSlow, busyUntil });
    if (told) await tell(target, { type: 'agent.observed', ...told });
  };
}

/** A deadline that ends so much too late was not watched: then answers were not read either. */
const STALL_MS = 100;

const stalled = (ms: number) =>
  new UnavailableError(`this node is too busy to poll: a deadline came after ${Math.round(ms)} ms`);

const NEVER = 0;

/** Before its container was started, it was another agent that did not answer. */
const missesOf = ({ agent }: AgentTarget, before: PolledAgent | undefined): number =>
  before && (agent !== 'unknown' || before.condition === 'unknown') ? before.misses : 0;

/** While it is too early to say that an agent is gone, its numbers stand. */
function numbersOf(answer: AgentAnswer, before: PolledAgent | undefined) {
  const { players, uptimeSeconds } = (answer.kind === 'heard' && answer.status) || (before ?? {});
  return { players: players ?? null, uptimeSeconds: uptimeSeconds ?? null };
}
