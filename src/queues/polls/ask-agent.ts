import type { AgentClient, AgentStatus } from '../../clients/agent/client.ts';
import { UpstreamError } from '../../errors.ts';
import type { AgentAnswer } from './agent-news.ts';

/**
 * The client's words for no answer at all. An agent that gives one of them as its own reason is
 * believed some polls later.
 */
const UNANSWERED = ['no_answer', 'timed_out', 'answer_too_large'];

/**
 * Asks one agent three things, over one connection, for as long as each answer makes the next
 * question worth asking. What is not known when `deadline` ends stays unknown.
 */
export async function askAgent(
  agents: Pick<AgentClient, 'health' | 'ready' | 'status'>,
  ip: string,
  deadline: AbortSignal,
): Promise<AgentAnswer> {
  const call = { signal: deadline };
  const health = await beforeDeadline(deadline, agents.health(ip, call));
  if (!health?.alive) return { kind: 'silent', reason: health?.reason ?? 'timed_out' };
  const readiness = await beforeDeadline(deadline, agents.ready(ip, call));
  if (!readiness) return { kind: 'mute', reason: 'timed_out' };
  const { ready, readySource = null, reason = '' } = readiness;
  if (!ready && UNANSWERED.includes(reason)) return { kind: 'mute', reason };
  const status = await beforeDeadline(deadline, readStatus(agents.status(ip, call)));
  return { kind: 'heard', ready, readySource, status };
}

/** null: the deadline came first. */
async function beforeDeadline<Answer>(
  deadline: AbortSignal,
  answer: Promise<Answer>,
): Promise<Answer | null> {
  try {
    return await answer;
  } catch (error) {
    if (deadline.aborted) return null;
    throw error;
  }
}

/** Numbers that do not come or cannot be read are missing, and say nothing of readiness. */
async function readStatus(answer: Promise<AgentStatus>): Promise<AgentStatus | null> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof UpstreamError) return null;
    throw error;
  }
}
