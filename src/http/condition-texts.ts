import type { Condition, Unseen } from '../machines/instance/status.ts';
import type { FleetEntry } from '../view/fleet.ts';
import { toCheckedJson } from './json.ts';
import { onceFor } from './render-once.ts';
import { stillConditionView, viewConditions } from './server-view.ts';

/** When somebody last had word of an instance, Unix ms. null: never. */
export interface Heard {
  readonly hostAt: number | null;
  readonly agentAt: number | null;
}

type Type = Condition['type'];

interface StillCondition {
  readonly type: Type;
  /** Up to its date. */
  readonly text: string;
}

interface Dated extends Heard {
  readonly still: readonly StillCondition[];
  readonly text: string;
}

/**
 * The members `conditions` and `lastSeen` of an answer, each condition with the date at which it
 * was last found to be so. These dates move once a poll and are asked for far more often, so the
 * text is kept until they do.
 */
export function conditionsText(entry: FleetEntry, unseen: Unseen, heard: Heard): string {
  const { hostAt, agentAt } = heard;
  const still = onceFor(entry, 'conditions', unseen, renderStill);
  const known = entry.derived.get('dated') as Dated | undefined;
  if (known?.still === still && known.hostAt === hostAt && known.agentAt === agentAt) {
    return known.text;
  }
  const dates = datesOf(entry, heard);
  const conditions = still.map(({ type, text }) => `${text},"observedAt":${quoted(dates[type])}}`);
  const seen = agentAt === null ? 'null' : quoted(agentAt);
  const text = `,"conditions":[${conditions.join(',')}],"lastSeen":${seen}`;
  entry.derived.set('dated', { hostAt, agentAt, still, text } satisfies Dated);
  return text;
}

const renderStill = (entry: FleetEntry, unseen: Unseen): readonly StillCondition[] =>
  viewConditions(entry, unseen).map((condition) => ({
    type: condition.type,
    text: toCheckedJson(stillConditionView, condition).slice(0, -1),
  }));

/** The step that changed a region had word of it, too: nothing is older than its own change. */
function datesOf({ state, updatedAt }: FleetEntry, heard: Heard): Record<Type, number> {
  const { since, context } = state;
  return {
    Provisioned: +updatedAt,
    HostRunning: Math.max(heard.hostAt ?? 0, since['host'] ?? 0),
    AgentReady: Math.max(heard.agentAt ?? 0, since['agent'] ?? 0),
    EdgePublished: since['edge'] ?? 0,
    Entitled: +updatedAt,
    Maintenance: +updatedAt,
    ProxyRegistered: Math.max(context.payload.proxy?.report?.receivedAt ?? 0, since['proxy'] ?? 0),
  };
}

const quoted = (at: number): string => `"${new Date(at).toISOString()}"`;
