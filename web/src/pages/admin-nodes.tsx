import { call } from '../api/client.ts';
import type { HostNode, Nodes, Reached, ServiceProcess } from '../api/schema.ts';
import { Age, Badge } from '../parts/badge.tsx';
import { Problem } from '../parts/problem.tsx';
import { sizeOf } from '../parts/size.ts';
import { Table } from '../parts/table.tsx';
import { spoken } from '../state/clock.ts';
import { useRepeated, useResource } from '../state/resource.ts';

const LOOK_MS = 5_000;

/** How Proxmox's nodes and our own processes are, with the age of each word about them. */
export function NodeHealth() {
  const { value, problem, readAt, reload } = useResource('nodes', (signal) =>
    call('GET /api/admin/nodes', { signal }),
  );
  useRepeated(reload, LOOK_MS);
  return (
    <section aria-label="Nodes">
      <Problem problem={problem} />
      {value && (
        <>
          <p role="status">
            <Badge word={value.ok ? 'ok' : 'failed'} />{' '}
            {value.ok ? 'All are there, with whatever they need' : 'Something is not as it should'}
            {readAt !== null && <Age at={readAt} before=", read " />}
          </p>
          <Cluster cluster={value.cluster} />
          <ProcessList nodes={value} />
          <Waiting nodes={value} />
        </>
      )}
    </section>
  );
}

const percent = (share: number | null): string =>
  share === null ? 'unknown' : `${Math.round(share * 100)} %`;
const bytes = (value: number | null): string => (value === null ? 'unknown' : sizeOf(value));

function Cluster({ cluster }: Pick<Nodes, 'cluster'>) {
  return (
    <>
      <h2>Nodes of Proxmox</h2>
      {cluster === null ? (
        <p>Nobody knows: nobody has looked yet, or Redis does not answer.</p>
      ) : (
        <>
          <p>
            Proxmox listed them <Age at={cluster.checkedAt} />
            {cluster.lastError && (
              <>
                . It last failed to <Age at={cluster.lastError.at} />:{' '}
                <code>{cluster.lastError.code}</code>
              </>
            )}
            .
          </p>
          <Table
            caption="Nodes of Proxmox"
            head={['Node', 'State', 'Processor', 'Memory', 'Up for', 'Containers', 'Ours', 'Calls']}
            rows={cluster.nodes.map((node) => ({ key: node.name, cells: hostCells(node) }))}
          />
        </>
      )}
    </>
  );
}

function hostCells(node: HostNode) {
  const { containers, ours, calls } = node;
  return [
    node.name,
    <span key="state">
      <Badge word={node.state} /> <Age at={node.onlineAt} before="online " />
      {node.unknownSince !== null && (
        <Age at={node.unknownSince} before=", unknown for " after="" />
      )}
    </span>,
    node.maxcpu === null ? percent(node.cpu) : `${percent(node.cpu)} of ${node.maxcpu}`,
    `${bytes(node.mem)} of ${bytes(node.maxmem)}`,
    node.uptime === null ? 'unknown' : spoken(node.uptime * 1_000),
    containers === null ? (
      'unknown'
    ) : (
      <span key="containers">
        {containers.running} of {containers.all} run <Age at={containers.countedAt} />
      </span>
    ),
    `${ours.running} of ${ours.all} run`,
    `${calls.inFlight ?? 'unknown'} of ${calls.max}`,
  ];
}

const reached = ({ reachable, latencyMs }: Reached, at: string) => (
  <>
    <Badge word={reachable ? 'reachable' : 'unreachable'} /> {latencyMs} ms <Age at={at} />
  </>
);

function ProcessList({
  nodes: { processes, postgres, redis, observedAt, answeredBy },
}: {
  readonly nodes: Nodes;
}) {
  return (
    <>
      <h2>Processes of this service</h2>
      <p>
        The one that answers, {answeredBy}, finds PostgreSQL {reached(postgres, observedAt)} and
        Redis {reached(redis, observedAt)}.
      </p>
      {processes === null ? (
        <p>Nobody knows which there are: Redis does not answer.</p>
      ) : (
        <Table
          caption="Processes of this service"
          head={['Process', 'State', 'Role', 'Version', 'Began', 'Late by', 'Memory', 'PostgreSQL']}
          rows={processes.map((node) => ({ key: node.id, cells: processCells(node) }))}
        />
      )}
    </>
  );
}

function processCells(node: ServiceProcess) {
  const { eventLoop } = node;
  return [
    <span key="who">
      <code>{node.id}</code> on {node.host}, {node.pid}
    </span>,
    <span key="state">
      <Badge word={node.state} />{' '}
      <Age
        at={node.beatAt}
        before={node.state === 'silent' ? 'unknown for ' : 'heard '}
        after={node.state === 'silent' ? '' : ' ago'}
      />
    </span>,
    node.role,
    node.version,
    <Age key="began" at={node.startedAt} />,
    <span key="late" title={`mean ${eventLoop.meanMs} ms, longest ${eventLoop.maxMs} ms`}>
      {eventLoop.p99Ms} ms, at most {eventLoop.maxMs} ms
    </span>,
    sizeOf(node.memoryBytes),
    <span key="postgres">{reached(node.postgres, node.beatAt)}</span>,
  ];
}

function Waiting({ nodes: { backlog, queues } }: { readonly nodes: Nodes }) {
  const busy = queues?.filter((one) => one.waiting + one.active + one.delayed + one.failed > 0);
  return (
    <>
      <h2>What waits to be done</h2>
      {backlog === null ? (
        <p>Nobody knows: PostgreSQL does not answer.</p>
      ) : (
        <p>
          Effects: {backlog.effects}
          {backlog.effects > 0 && `, the oldest for ${spoken(backlog.oldestEffectMs)}`}. Deadlines:{' '}
          {backlog.timers}, of which {backlog.timersOverdue} have passed. Debts: {backlog.debts}.
        </p>
      )}
      {busy === undefined ? (
        <p>Nobody knows what is in the queues: Redis does not answer.</p>
      ) : (
        <Table
          caption="Queues with jobs"
          none="All queues are empty."
          head={['Queue', 'Wait', 'Worked on', 'Later', 'Failed']}
          rows={busy.map((one) => ({
            key: one.name,
            cells: [one.name, one.waiting, one.active, one.delayed, one.failed],
          }))}
        />
      )}
    </>
  );
}
