import type { FleetEntry } from '../view/fleet.ts';
import type { AgentNumbers, HostNumbers, Live } from '../view/live.ts';
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
  status(entry: FleetEntry): CheckedJson;
  row(entry: FleetEntry): CheckedJson;
}

export interface ServerTextsOptions {
  readonly live: Live;
  readonly now: () => number;
  /** When the fleet was last found to be up to date. */
  readonly currentAt: () => number;
}

const renderServer = (entry: FleetEntry) => toCheckedJson(stillServerView, viewServer(entry));
const renderStatus = (entry: FleetEntry) => toCheckedJson(stillStatusView, viewStatus(entry));
const renderRow = (entry: FleetEntry) => toCheckedJson(instanceRow, viewInstance(entry));

export function createServerTexts({ live, now, currentAt }: ServerTextsOptions): ServerTexts {
  function withMoving(entry: FleetEntry, still: CheckedJson): CheckedJson {
    const at = now();
    const bornAt = +entry.createdAt;
    const { agent, host, agentSeenAt, hostObservedAt } = live.of(entry.vmid, { bornAt, now: at });
    const seenAt = latest(agentSeenAt, entry.state.context.agent.lastSeenAt);
    // A change of our own makes an entry newer than the last look at the journal.
    const stateAt = Math.max(currentAt(), +entry.updatedAt);
    const lastSeen = seenAt === null ? 'null' : `"${new Date(seenAt).toISOString()}"`;
    return assembledJson(
      `${still.slice(0, -1)},"lastSeen":${lastSeen},"ages":{"host":${age(at, hostObservedAt)},` +
        `"agent":${age(at, seenAt)},"state":${age(at, stateAt)}},` +
        `"live":{"agent":${textOfAgent(agent)},"host":${textOfHost(host)}}}`,
    );
  }
  return {
    server: (entry) => withMoving(entry, once(entry, 'server', renderServer)),
    status: (entry) => withMoving(entry, once(entry, 'status', renderStatus)),
    row: (entry) => once(entry, 'row', renderRow),
  };
}

/** Rendered when somebody first reads this version of the entry. */
function once(
  entry: FleetEntry,
  name: string,
  render: (entry: FleetEntry) => CheckedJson,
): CheckedJson {
  const known = entry.derived.get(name) as CheckedJson | undefined;
  if (known !== undefined) return known;
  const text = render(entry);
  entry.derived.set(name, text);
  return text;
}

function latest(a: number | null, b: number | null): number | null {
  if (a === null || b === null) return a ?? b;
  return Math.max(a, b);
}

/** Clocks of nodes differ a little: what another one saw is never seen in the future. */
const age = (at: number, then: number | null) => (then === null ? null : Math.max(0, at - then));

function textOfAgent(numbers: AgentNumbers | null): string {
  if (!numbers) return 'null';
  const { condition, players, uptimeSeconds } = numbers;
  return JSON.stringify({ condition, players, uptimeSeconds });
}

function textOfHost(numbers: HostNumbers | null): string {
  if (!numbers) return 'null';
  const { cpu, mem, maxmem, disk, uptime } = numbers;
  return JSON.stringify({ cpu, mem, maxmem, disk, uptime });
}
