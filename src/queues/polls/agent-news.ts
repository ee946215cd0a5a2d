import type { AgentStatus } from '../../clients/agent/client.ts';
import type { AgentCondition } from '../../machines/instance/types.ts';
import type { AgentTarget } from '../../storage/poll-targets.ts';

/** What came of one poll of one agent. */
export type AgentAnswer =
  /** Nothing, or nothing that an agent would say. */
  | { readonly kind: 'silent'; readonly reason: string }
  /** It lives, but whether it is ready was not to be learned. */
  | { readonly kind: 'mute'; readonly reason: string }
  | {
      readonly kind: 'heard';
      readonly ready: boolean;
      readonly readySource: string | null;
      /** null: it did not say. */
      readonly status: AgentStatus | null;
    };

export interface AgentSighting {
  readonly condition: AgentCondition;
  readonly readySource: string | null;
  readonly installStep: string | null;
  readonly state: string | null;
  readonly crashCount: number | null;
}

/**
 * What a poll says of an agent; null while it is too early to say. What an agent says counts at
 * once; that it says nothing counts after `missesMax` polls in a row.
 *
 * Only its own word makes it ready. While it stands by that word nothing else counts: killing a
 * game that answers, because a count beside it says `crashed`, would cost players. `error` is
 * alive and not ready: a restart, which a crash asks for, does not repair an installation.
 */
export function sightAgent(
  target: AgentTarget,
  answer: AgentAnswer,
  { misses, missesMax }: { readonly misses: number; readonly missesMax: number },
): AgentSighting | null {
  const { installStep } = target;
  if (answer.kind !== 'heard') {
    if (misses < missesMax) return null;
    if (answer.kind === 'silent') return { ...NOTHING, condition: 'unreachable' };
    return { ...NOTHING, condition: unready(target), installStep, state: target.state };
  }
  const { ready, status } = answer;
  const crashCount = status?.crashCount ?? null;
  if (ready) {
    return { ...NOTHING, condition: 'ready', readySource: answer.readySource, crashCount };
  }
  if (status === null) {
    return { ...NOTHING, condition: unready(target), installStep, state: target.state };
  }
  return {
    condition: status.state === 'crashed' ? 'crashed' : 'alive',
    readySource: null,
    installStep: status.installStep ?? null,
    state: status.state,
    crashCount,
  };
}

const NOTHING = { readySource: null, installStep: null, state: null, crashCount: null } as const;

/** A crash that nobody has taken back is still one. */
const unready = ({ agent }: AgentTarget) => (agent === 'crashed' ? 'crashed' : 'alive');

/** The same question as the machine's, so that old news never reaches an actor. */
export function isNews(target: AgentTarget, seen: AgentSighting): boolean {
  return (
    seen.condition !== target.agent ||
    seen.readySource !== target.readySource ||
    seen.installStep !== target.installStep ||
    seen.state !== target.state ||
    (seen.crashCount ?? target.reportedCrashes) !== target.reportedCrashes
  );
}
