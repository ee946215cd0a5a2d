import { z } from 'zod';

import type { ActorEvent } from '../actors/address.ts';
import type { InstanceState } from '../machines/instance/status.ts';
import { explainState } from '../machines/instance/why.ts';
import type { ExplainedWish } from '../machines/instance/wishes.ts';
import type { Cause, Evidence, HistoryEntry } from '../storage/history.ts';
import { withoutUser } from './operation-view.ts';

/** What clients see of an instance's past, and of the reasons for its present. */

const date = z.iso.datetime();

const causeView = z
  .object({
    seq: z.number().int().describe('Its place in the journal of all instances'),
    revision: z.number().int().describe('Which step of the instance it was'),
    at: date,
    type: z.string(),
    event: z.record(z.string(), z.unknown()).describe('What it said beside its type'),
  })
  .meta({ id: 'JournalCause' });

export const entryView = causeView
  .extend({
    regions: z.record(z.string(), z.string()).describe('The state of each region after it'),
    moved: z.array(z.string()).describe('The regions whose state it changed'),
  })
  .meta({ id: 'JournalEntry' });

const deadlineView = z.object({ name: z.string(), dueAt: date });

const possibilityView = z
  .object({
    kind: z
      .enum(['event', 'wish', 'deadline', 'condition'])
      .describe('A condition comes true by itself, through another region'),
    on: z.string().nullable().describe('The event, wish or deadline'),
    guard: z.string().nullable().describe('What must hold, in the words of the machine'),
    dueAt: date.nullable(),
    state: z.string().describe('Where the region goes'),
    description: z.string().nullable(),
  })
  .meta({ id: 'Possibility' });

export const regionView = z
  .object({
    region: z.string(),
    state: z.string(),
    description: z.string().nullable(),
    isTransient: z.boolean().describe('It resolves by itself, at the latest by its deadline'),
    since: date,
    cause: causeView.nullable().describe('What last moved the region'),
    waitsFor: z.object({
      calls: z
        .array(
          z.object({
            lane: z.string().describe('To whom it is made'),
            kind: z.string(),
            since: date,
            upid: z.string().nullable().describe('The Proxmox task, once it is known'),
          }),
        )
        .describe('The calls in flight'),
      events: z.array(z.string()).describe('News that would move it'),
      conditions: z.array(z.string()).describe('What other regions would have to be in'),
    }),
    deadline: deadlineView.nullable(),
    next: z.array(possibilityView).describe('What can happen, and where that leads'),
  })
  .meta({ id: 'ExplainedRegion' });

export const whyView = z
  .object({
    vmid: z.number().int(),
    instance: z.string(),
    revision: z.number().int(),
    regions: z.array(regionView),
  })
  .meta({ id: 'Why' });

export const wishView = z
  .object({
    action: z.string(),
    isAllowed: z.boolean(),
    refusal: z
      .object({
        code: z.string(),
        message: z.string(),
        lift: z.string().describe('What would make it possible'),
      })
      .nullable(),
  })
  .meta({ id: 'ExplainedAction' });

/** Said beside the event, or of use to nobody outside. */
const SAID_ELSEWHERE: readonly string[] = ['type', 'at', 'opId'];
/** No event has such a member today. One that gets it is not to be shown by oversight. */
const SECRET = /password|secret|token|credential|api_?key/i;

function withoutSecrets(value: unknown): unknown {
  if (typeof value === 'string' && value.startsWith('UPID:')) return withoutUser(value);
  if (Array.isArray(value)) return value.map(withoutSecrets);
  if (typeof value !== 'object' || value === null) return value;
  const members = Object.entries(value).filter(([name]) => !SECRET.test(name));
  return Object.fromEntries(members.map(([name, inner]) => [name, withoutSecrets(inner)]));
}

function viewEvent(event: ActorEvent): Record<string, unknown> {
  const members = Object.entries(event).filter(([name]) => !SAID_ELSEWHERE.includes(name));
  return withoutSecrets(Object.fromEntries(members)) as Record<string, unknown>;
}

const viewCause = ({ seq, revision, at, event }: Cause): z.input<typeof causeView> => ({
  seq,
  revision,
  at: at.toISOString(),
  type: event.type,
  event: viewEvent(event),
});

/** `{ deleting: 'settling' }` → `deleting.settling` */
function dotted(value: unknown): string {
  if (typeof value === 'string') return value;
  const [name, inner] = Object.entries(value ?? {})[0] ?? ['', ''];
  return `${name}.${dotted(inner)}`;
}

export function viewEntry(entry: HistoryEntry): z.input<typeof entryView> {
  const { state, before } = entry;
  const regions = Object.entries(state).map(([region, value]) => [region, dotted(value)] as const);
  return {
    ...viewCause(entry),
    regions: Object.fromEntries(regions),
    moved: regions
      .filter(([region, now]) => !before?.[region] || dotted(before[region]) !== now)
      .map(([region]) => region),
  };
}

const toDate = (ms: number) => new Date(ms).toISOString();

export const viewWhy = (
  vmid: number,
  evidence: Omit<Evidence, 'machineVersion'>,
): z.input<typeof whyView> => ({
  vmid,
  instance: evidence.id,
  revision: evidence.version,
  regions: viewRegions(evidence),
});

export function viewRegions({
  snapshot,
  timers,
  causes,
}: Pick<Evidence, 'snapshot' | 'timers' | 'causes'>): z.input<typeof regionView>[] {
  const regions = explainState(snapshot as unknown as InstanceState, timers);
  return regions.map(({ since, waitsFor, deadline, next, ...rest }) => ({
    ...rest,
    since: toDate(since),
    cause: causes[rest.region] ? viewCause(causes[rest.region] as Cause) : null,
    waitsFor: {
      calls: waitsFor.calls.map((call) => ({
        ...call,
        since: toDate(call.since),
        upid: call.upid && withoutUser(call.upid),
      })),
      events: [...waitsFor.events],
      conditions: [...waitsFor.conditions],
    },
    deadline: deadline && { name: deadline.name, dueAt: toDate(deadline.dueAt) },
    next: next.map(({ dueAt, ...one }) => ({
      ...one,
      dueAt: dueAt === null ? null : toDate(dueAt),
    })),
  }));
}

export const viewWish = ({
  wish,
  isAllowed,
  refusal,
}: ExplainedWish): z.input<typeof wishView> => ({ action: wish, isAllowed, refusal });
