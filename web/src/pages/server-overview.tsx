import type { ExplainedAction, JournalEntry, ServerStatus } from '../api/schema.ts';
import { Age, Badge } from '../parts/badge.tsx';
import { Table } from '../parts/table.tsx';
import { Actions } from './server-actions.tsx';
import { ConnectionPath } from './server-connection.tsx';
import { OpenIde } from './server-ide.tsx';
import { Progress } from './server-progress.tsx';

export interface Known {
  readonly status: ServerStatus;
  readonly actions: readonly ExplainedAction[];
  readonly history: { readonly instance: string; readonly entries: readonly JournalEntry[] };
}

export function OverviewTab({
  known: { status, actions, history },
  reload,
  isAdmin,
}: {
  readonly known: Known;
  readonly reload: () => void;
  readonly isAdmin: boolean;
}) {
  return (
    <>
      <Actions status={status} actions={actions} reload={reload} isAdmin={isAdmin} />
      {status.category === 'DEV' && <OpenIde id={Number(status.id)} />}
      <Progress status={status} entries={history.entries} />
      {status.connection && <ConnectionPath connection={status.connection} />}
      <Conditions status={status} />
      <Facts status={status} />
      {status.edge && status.edge.targets.length > 0 && <Targets edge={status.edge} />}
    </>
  );
}

function Conditions({ status: { conditions } }: { readonly status: ServerStatus }) {
  return (
    <section>
      <h2>Conditions</h2>
      <Table
        caption="Conditions"
        head={['Condition', 'Holds', 'Why', 'Since', 'Seen']}
        rows={conditions.map(({ type, status, message, lastTransitionTime, observedAt }) => ({
          key: type,
          cells: [
            type,
            <Badge key="status" word={status} />,
            message,
            <Age key="since" at={lastTransitionTime} after="" />,
            <Age key="seen" at={observedAt} />,
          ],
        }))}
      />
    </section>
  );
}

const MIB = 1_048_576;
const inMiB = (bytes: number | null | undefined): string =>
  bytes == null ? 'unknown' : `${Math.round(bytes / MIB)} MiB`;

function Facts({ status }: { readonly status: ServerStatus }) {
  const { agent, host } = status.live;
  const { ages } = status;
  const facts: readonly (readonly [string, string])[] = [
    ['Number', status.id],
    ['Kind', [status.runtime, status.flavor, status.version].filter(Boolean).join(' ')],
    ['Address', status.ip === null ? 'none yet' : `${status.ip} : ${status.ports.join(', ')}`],
    ['Node', status.node ?? 'none yet'],
    ['Ordered', `${status.memoryMiB} MiB, ${status.cpuCores} cores`],
    ['Memory in use', inMiB(host?.mem)],
    ['Processor', host?.cpu == null ? 'unknown' : `${Math.round(host.cpu * 100)} %`],
    ['Players', agent?.players == null ? 'unknown' : String(agent.players)],
    ['Crashes', String(status.crashCount)],
    ['Proxmox was heard', agoOf(ages.host)],
    ['The agent was heard', agoOf(ages.agent)],
  ];
  return (
    <section>
      <h2>About it</h2>
      <dl className="facts">
        {facts.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}

const agoOf = (ms: number | null): string =>
  ms === null ? 'never' : `${(ms / 1_000).toFixed(1)} s before this was read`;

function Targets({ edge }: { readonly edge: NonNullable<ServerStatus['edge']> }) {
  return (
    <section>
      <h2>Where it is published</h2>
      {!edge.isWanted && <p>An administrator has taken it off.</p>}
      <Table
        caption="Where it is published"
        head={['Target', 'State', 'Name', 'Port', 'Since', 'Failure']}
        rows={edge.targets.map(({ kind, state, since, failure, name, protocol, port }) => ({
          key: `${kind} ${name} ${protocol} ${port}`,
          cells: [
            kind.replaceAll('_', ' '),
            <Badge key="state" word={state} />,
            name ?? '–',
            port,
            <Age key="since" at={since} after="" />,
            failure?.message ?? '–',
          ],
        }))}
      />
    </section>
  );
}
