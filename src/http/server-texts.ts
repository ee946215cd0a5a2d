import { describeStatus, type Unseen } from '../machines/instance/status.ts';
import type { FleetEntry } from '../view/fleet.ts';
import type { AgentNumbers, HostNumbers, Live, LiveNumbers } from '../view/live.ts';
import { conditionsText, type Heard } from './condition-texts.ts';
import { assembledJson, type CheckedJson, toCheckedJson } from './json.ts';
import { once, onceFor } from './render-once.ts';
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
  /** The one word that `server` and `status` have for it at this moment. */
  statusOf(entry: FleetEntry): string;
}

export interface ServerTextsOptions {
  readonly live: Live;
  readonly now: () => number;
  /** What nobody has looked at for so long is not shown as true any more. */
  readonly unseenAfterMs: number;
  /** When the fleet was last found to be up to date. */
  readonly currentAt: () => number;
}

/** What is known of an instance at the moment of an answer. */
interface Look extends Heard {
  readonly at: number;
  readonly live: LiveNumbers;
  readonly unseen: Unseen;
}

const renderServer = (entry: FleetEntry, unseen: Unseen): string =>
  toCheckedJson(stillServerView, viewServer(entry, unseen)).slice(0, -1);
const renderStatus = (entry: FleetEntry, unseen: Unseen): string =>
  toCheckedJson(stillStatusView, viewStatus(entry, unseen)).slice(0, -1);
const wordOf = ({ state }: FleetEntry, unseen: Unseen): string =>
  describeStatus(state, unseen).status;
const renderRow = (entry: FleetEntry): string => toCheckedJson(instanceRow, viewInstance(entry));

export function createServerTexts(options: ServerTextsOptions): ServerTexts {
  const { live, now, currentAt, unseenAfterMs } = options;

  function lookAt(entry: FleetEntry, at: number): Look {
    const numbers = live.of(entry.vmid, { bornAt: +entry.createdAt, now: at });
    const unseen = whatIsUnseen(entry, numbers, { at, unseenAfterMs });
    const agentAt = latest(numbers.agentSeenAt, entry.state.context.agent.lastSeenAt);
    return { at, live: numbers, unseen, hostAt: numbers.hostObservedAt, agentAt };
  }

  function endOf(entry: FleetEntry, { at, live: { agent, host }, hostAt, agentAt }: Look): string {
    // A change of our own makes an entry newer than the last look at the journal.
    const stateAt = Math.max(currentAt(), +entry.updatedAt);
    return (
      `,"ages":{"host":${age(at, hostAt)},"agent":${age(at, agentAt)},` +
      `"state":${age(at, stateAt)}},` +
      `"live":{"agent":${agent ? textOf(agent) : null},"host":${host ? textOf(host) : null}}}`
    );
  }

  // Joined, not added: a text that was added to is copied once more when it is written.
  function status(entry: FleetEntry): string {
    const look = lookAt(entry, now());
    const still = onceFor(entry, 'status', look.unseen, renderStatus);
    return [still, conditionsText(entry, look.unseen, look), endOf(entry, look)].join('');
  }

  function servers(entries: readonly FleetEntry[]): string {
    const at = now();
    const parts: string[] = [];
    for (const entry of entries) {
      if (parts.length > 0) parts.push(',');
      const look = lookAt(entry, at);
      const still = onceFor(entry, 'server', look.unseen, renderServer);
      parts.push(still, conditionsText(entry, look.unseen, look), endOf(entry, look));
    }
    return parts.join('');
  }

  return {
    server: (entry) => assembledJson(servers([entry])),
    servers,
    status: (entry) => assembledJson(status(entry)),
    row: (entry) => assembledJson(once(entry, 'row', renderRow)),
    statusOf: (entry) => onceFor(entry, 'word', lookAt(entry, now()).unseen, wordOf),
  };
}

/**
 * Whom nobody has looked at for too long. A step says as much as a look: somebody was there. That
 * an agent does not answer is what a look has found, too.
 */
export function whatIsUnseen(
  { updatedAt }: FleetEntry,
  { agentAskedAt, hostObservedAt }: LiveNumbers,
  { at, unseenAfterMs }: { readonly at: number; readonly unseenAfterMs: number },
): Unseen {
  const isOld = (lookedAt: number | null) =>
    at - Math.max(lookedAt ?? 0, +updatedAt) > unseenAfterMs;
  return { host: isOld(hostObservedAt), agent: isOld(agentAskedAt) };
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
