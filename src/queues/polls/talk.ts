import type { AgentTarget } from '../../storage/poll-targets.ts';
import { type AgentSighting, isNews } from './agent-news.ts';

/** So many changes of an agent are told at once … */
const BURST_MAX = 6;
/** … and from then on one in so long. */
const CHANGE_EVERY_MS = 20_000;

/** Players depend on these, so whoever enters or leaves one is told of at once, each time. */
const PRESSING: ReadonlySet<string> = new Set(['ready', 'crashed']);

/** A container that was started and not heard since waits for any word at all. */
const isPressing = ({ agent }: AgentTarget, { condition }: AgentSighting): boolean =>
  agent === 'unknown' || (agent !== condition && (PRESSING.has(agent) || PRESSING.has(condition)));

/**
 * Is it news, and is it told now? An agent that says something else at every poll must not write a
 * journal entry at every poll for ever. What is held back is not lost: the next poll compares with
 * the row again, and tells the newest as soon as there is room.
 *
 * `busyUntil` is when all that was told is paid off. It lives in Redis beside the count of misses,
 * so any worker goes on counting; if it gets lost, an agent may talk some more, which is harmless.
 */
export function weighNews(
  target: AgentTarget,
  seen: AgentSighting | null,
  { busyUntil, at }: { readonly busyUntil: number; readonly at: number },
): { readonly told: AgentSighting | null; readonly busyUntil: number } {
  const owedMs = Math.max(0, busyUntil - at);
  const hasRoom = owedMs <= (BURST_MAX - 1) * CHANGE_EVERY_MS;
  if (!seen || !isNews(target, seen) || !(hasRoom || isPressing(target, seen))) {
    return { told: null, busyUntil };
  }
  // A game that comes and goes for an hour does not silence what is said after it for another.
  const owedNextMs = Math.min(owedMs + CHANGE_EVERY_MS, BURST_MAX * CHANGE_EVERY_MS);
  return { told: seen, busyUntil: at + owedNextMs };
}
