import type { ReactNode } from 'react';

import type { ExplainedAction, JournalEntry, ServerStatus } from '../api/schema.ts';
import { Age, Badge } from '../parts/badge.tsx';
import { Table } from '../parts/table.tsx';
import { Actions } from './server-actions.tsx';
import { ConnectionPath } from './server-connection.tsx';
import { IdeButton } from './server-ide.tsx';
import { Progress } from './server-progress.tsx';

export interface Known {
  /** By the clock of this page. */
  readonly readAt: number;
  readonly status: ServerStatus;
  readonly actions: readonly ExplainedAction[];
  readonly history: { readonly instance: string; readonly entries: readonly JournalEntry[] };
}

export function OverviewTab({
  known: { readAt, status, actions, history },
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
      {status.category === 'DEV' && <IdeButton id={Number(status.id)} />}
      <Progress status={status} entries={history.entries} />
      {status.connection && (
        <ConnectionPath connection={status.connection} conditions={status.conditions} />
      )}
      <Conditions status={status} />
      <Facts status={status} readAt={readAt} />
      {status.edge && status.edge.targets.length > 0 && <Targets edge={status.edge} />}
      {status.proxy && <AtProxy proxy={status.proxy} />}
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

function Facts({ status, readAt }: { readonly status: ServerStatus; readonly readAt: number }) {
  const { agent, host } = status.live;
  const { ages } = status;
  const heard = (ageMs: number | null) => <Age at={ageMs === null ? null : readAt - ageMs} />;
  const facts: readonly (readonly [string, ReactNode])[] = [
    ['Number', status.id],
    ['Kind', [status.runtime, status.flavor, status.version].filter(Boolean).join(' ')],
    ['Address', status.ip === null ? 'none yet' : `${status.ip} : ${status.ports.join(', ')}`],
    ['Node', status.node ?? 'none yet'],
    ['Ordered', `${status.memoryMiB} MiB, ${status.cpuCores} cores`],
    ['Memory in use', <Seen key="mem" text={inMiB(host?.mem)} age={host && heard(ages.host)} />],
    ['Processor', <Seen key="cpu" text={percent(host?.cpu)} age={host && heard(ages.host)} />],
    [
      'Players',
      <Seen
        key="players"
        text={String(agent?.players ?? 'unknown')}
        age={agent && heard(ages.agent)}
      />,
    ],
    ['Crashes', String(status.crashCount)],
    ['Proxmox was heard', heard(ages.host)],
    ['The agent was heard', heard(ages.agent)],
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

const percent = (share: number | null | undefined): string =>
  share == null ? 'unknown' : `${Math.round(share * 100)} %`;

/** A number that somebody has seen, and when. */
function Seen({ text, age }: { readonly text: string; readonly age: ReactNode }) {
  return (
    <>
      {text} {text !== 'unknown' && age}
    </>
  );
}

function AtProxy({ proxy }: { readonly proxy: NonNullable<ServerStatus['proxy']> }) {
  const { state, serverName, address, port, latencyMs, failure } = proxy;
  return (
    <section>
      <h2>
        At the proxy <Badge word={state} /> <Age at={proxy.lastEventAt} before="heard " />
      </h2>
      <p>
        {serverName} leads to {address === null ? 'nowhere' : `${address} : ${port}`}
        {proxy.pingedAt !== null && (
          <>
            ; it answered
            {latencyMs !== null && ` within ${Math.round(latencyMs)} ms`}{' '}
            <Age at={proxy.pingedAt} />
          </>
        )}
        {failure && (
          <>
            ; {failure.message} <code>{failure.code}</code>
          </>
        )}
        .
      </p>
    </section>
  );
}

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
