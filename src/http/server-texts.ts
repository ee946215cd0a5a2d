import type { Unseen } from '../machines/instance/status.ts';
import type { FleetEntry } from '../view/fleet.ts';
import type { AgentNumbers, HostNumbers, Live, LiveNumbers } from '../view/live.ts';
import { assembledJson, type CheckedJson, toCheckedJson } from './json.ts';
import {
  instanceRow,
  stillServerView,
  stillStatusView,
  viewInstance,
  viewServer,
  viewStatus,
} from './server-view.ts';

/** Answers about instances as JSON text. What stays as it is is rendered and checked once. */
export interface ServerTexts {
  /** As one of a list. */
  server(entry: FleetEntry): CheckedJson;
  /** The elements of a list, by comma. */
  servers(entries: readonly FleetEntry[]): string;
  status(entry: FleetEntry): CheckedJson;
  row(entry: FleetEntry): CheckedJson;
}

export interface ServerTextsOptions {
  readonly live: Live;
  readonly now: () => number;
  /** What nobody has looked at for so long is not shown as true any more. */
  readonly unseenAfterMs: number;
  /** When the fleet was last found to be up to date. */
  readonly currentAt: () => number;
}

/** Up to the place where what changes by itself begins. */
const begin = (text: CheckedJson) => [text.slice(0, -1), ',"lastSeen":'].join('');
const beginServer = (entry: FleetEntry, unseen: Unseen) =>
  begin(toCheckedJson(stillServerView, viewServer(entry, unseen)));
const beginStatus = (entry: FleetEntry, unseen: Unseen) =>
  begin(toCheckedJson(stillStatusView, viewStatus(entry, unseen)));
const renderRow = (entry: FleetEntry): string => toCheckedJson(instanceRow, viewInstance(entry));

export function createServerTexts(options: ServerTextsOptions): ServerTexts {
  const { live, now, currentAt, unseenAfterMs } = options;
  const unseenOf = (entry: FleetEntry, at: number): Unseen =>
    whatIsUnseen(entry, live.of(entry.vmid, { bornAt: +entry.createdAt, now: at }), {
      at,
      unseenAfterMs,
    });
  function endOf(entry: FleetEntry, at: number): string {
    const bornAt = +entry.createdAt;
    const { agent, host, agentSeenAt, hostObservedAt } = live.of(entry.vmid, { bornAt, now: at });
    const seenAt = latest(agentSeenAt, entry.state.context.agent.lastSeenAt);
    // A change of our own makes an entry newer than the last look at the journal.
    const stateAt = Math.max(currentAt(), +entry.updatedAt);
    return (
      `${seenAt === null ? 'null' : quoted(entry, seenAt)},"ages":{"host":${age(at, hostObservedAt)},"agent":${age(at, seenAt)},` +
      `"state":${age(at, stateAt)}},` +
      `"live":{"agent":${agent ? textOf(agent) : null},"host":${host ? textOf(host) : null}}}`
    );
  }
  // Joined, not added: a text that was added to is copied once more when it is written.
  const status = (entry: FleetEntry) => {
    const at = now();
    return [onceFor(entry, 'status', unseenOf(entry, at), beginStatus), endOf(entry, at)];
  };
  function servers(entries: readonly FleetEntry[]): string {
    const at = now();
    const parts: string[] = [];
    for (const entry of entries) {
      if (parts.length > 0) parts.push(',');
      const unseen = unseenOf(entry, at);
      parts.push(onceFor(entry, 'server', unseen, beginServer), endOf(entry, at));
    }
    return parts.join('');
  }
  return {
    server: (entry) => assembledJson(servers([entry])),
    servers,
    status: (entry) => assembledJson(status(entry).join('')),
    row: (entry) => assembledJson(once(entry, 'row', renderRow)),
  };
}

/** Whom nobody has looked at for too long. A step says as much as a look: somebody was there. */
export function whatIsUnseen(
  { updatedAt, state }: FleetEntry,
  { agentSeenAt, hostObservedAt }: LiveNumbers,
  { at, unseenAfterMs }: { readonly at: number; readonly unseenAfterMs: number },
): Unseen {
  const isOld = (seenAt: number | null) => at - Math.max(seenAt ?? 0, +updatedAt) > unseenAfterMs;
  return {
    host: isOld(hostObservedAt),
    agent: isOld(latest(agentSeenAt, state.context.agent.lastSeenAt)),
  };
}

/** One text for each way in which it can be unseen; nearly always it is the first. */
function onceFor(
  entry: FleetEntry,
  name: string,
  unseen: Unseen,
  render: (entry: FleetEntry, unseen: Unseen) => string,
): string {
  const variant = unseen.host || unseen.agent ? `${name} ${unseen.host} ${unseen.agent}` : name;
  return once(entry, variant, (one) => render(one, unseen));
}

/** Rendered when somebody first reads this version of the entry. */
function once(entry: FleetEntry, name: string, render: (entry: FleetEntry) => string): string {
  const known = entry.derived.get(name) as string | undefined;
  if (known !== undefined) return known;
  const text = render(entry);
  entry.derived.set(name, text);
  return text;
}

/** The date changes once a poll, and is asked for far more often. */
function quoted(entry: FleetEntry, at: number): string {
  const known = entry.derived.get('seen') as { at: number; text: string } | undefined;
  if (known?.at === at) return known.text;
  const text = `"${new Date(at).toISOString()}"`;
  entry.derived.set('seen', { at, text });
  return text;
}

function latest(a: number | null, b: number | null): number | null {
  if (a === null || b === null) return a ?? b;
  return Math.max(a, b);
}

/** Clocks of nodes differ a little: what another one saw is never seen in the future. */
const age = (at: number, then: number | null) => (then === null ? null : Math.max(0, at - then));

const texts = new WeakMap<object, string>();

/** Without its date, which is told as an age. */
function textOf(numbers: AgentNumbers | HostNumbers): string {
  const known = texts.get(numbers);
  if (known !== undefined) return known;
  const text = 'seenAt' in numbers ? textOfAgent(numbers) : textOfHost(numbers);
  texts.set(numbers, text);
  return text;
}

const textOfAgent = ({ condition, players, uptimeSeconds }: AgentNumbers) =>
  JSON.stringify({ condition, players, uptimeSeconds });

const textOfHost = ({ cpu, mem, maxmem, disk, uptime }: HostNumbers) =>
  JSON.stringify({ cpu, mem, maxmem, disk, uptime });
