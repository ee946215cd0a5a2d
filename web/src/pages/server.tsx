import { useSelector } from '@xstate/store-react';
import { lazy, Suspense, useEffect } from 'react';

import { call } from '../api/client.ts';
import type { Account } from '../api/schema.ts';
import { Age, Badge } from '../parts/badge.tsx';
import { Problem } from '../parts/problem.tsx';
import { Tabs } from '../parts/tabs.tsx';
import { hrefOf } from '../router.ts';
import { seenAt } from '../state/clock.ts';
import { fleet, rowOf } from '../state/fleet.ts';
import { useRepeated, useResource } from '../state/resource.ts';
import { BackupsTab } from './server-backups.tsx';
import { ConsoleTab } from './server-console.tsx';
import { FilesTab } from './server-files.tsx';
import { HistoryTab } from './server-history.tsx';
import { OverviewTab } from './server-overview.tsx';

const TABS = [
  ['overview', 'Overview'],
  ['console', 'Console'],
  ['files', 'Files'],
  ['backups', 'Backups'],
  ['machine', 'Machine'],
  ['history', 'History'],
] as const;

/** Its pictures are larger than all the rest of the page. */
const MachineTab = lazy(async () => ({
  default: (await import('./server-machine.tsx')).MachineTab,
}));

/** A development container has none of these. */
const OF_GAMES: readonly string[] = ['console', 'files', 'backups'];

/** What does not come by the stream, ages and numbers, is read so often. */
const LOOK_MS = 5_000;
const HISTORY_MAX = 100;

/** All that the overview shows, read together so that it says one thing. */
function useServer(id: number) {
  const known = useResource(`server ${id}`, async (signal) => {
    const input = { path: { id }, signal };
    const [status, { actions }, history] = await Promise.all([
      call('GET /api/servers/{id}/status', input),
      call('GET /api/servers/{id}/actions', input),
      call('GET /api/servers/{id}/history', { ...input, query: { limit: HISTORY_MAX } }),
    ]);
    return { status, actions, history };
  });
  const { reload } = known;
  const revision = useSelector(
    fleet,
    ({ context }) => rowOf(context, String(id))?.server.revision ?? null,
  );
  // biome-ignore lint/correctness/useExhaustiveDependencies: a new revision is the reason to read
  useEffect(reload, [revision, reload]);
  useRepeated(reload, LOOK_MS);
  return { ...known, isGone: revision === null && known.problem?.status === 404 };
}

export function ServerPage({
  id,
  rest: [tab = 'overview', ...path],
  account,
}: {
  readonly id: string;
  readonly rest: readonly string[];
  readonly account: Account;
}) {
  const { value, problem, readAt, isGone, reload } = useServer(Number(id));
  if (isGone) {
    return (
      <>
        <h1>Server {id}</h1>
        <p role="status">
          There is no such server, or not any more. <a href="#/">Go to the servers</a>
        </p>
      </>
    );
  }
  const isGame = value?.status.category !== 'DEV';
  return (
    <>
      <div className="title">
        <h1>{value?.status.name ?? `Server ${id}`}</h1>
        {value && readAt !== null && (
          <>
            <Badge word={value.status.status} />
            <Age at={seenAt(value.status, readAt)} before="seen " />
          </>
        )}
        <Age at={readAt} before="read " />
      </div>
      <Tabs
        label="Parts of this server"
        current={tab}
        tabs={TABS.filter(([name]) => isGame || !OF_GAMES.includes(name)).map(([name, text]) => ({
          name,
          text,
          href: hrefOf('servers', id, name),
        }))}
      />
      <Problem problem={problem} />
      {value && readAt !== null && tab === 'overview' && (
        <OverviewTab
          known={{ ...value, readAt }}
          reload={reload}
          isAdmin={account.role === 'admin'}
        />
      )}
      {tab === 'console' && <ConsoleTab id={Number(id)} key={id} />}
      {tab === 'files' && <FilesTab id={Number(id)} path={path.join('/')} />}
      {value && isGame && tab === 'backups' && (
        <BackupsTab status={value.status} actions={value.actions} reload={reload} />
      )}
      {value && tab === 'machine' && (
        <Suspense fallback={<p className="quiet">One moment …</p>}>
          <MachineTab
            key={value.history.instance}
            id={Number(id)}
            latest={value.history}
            actions={value.actions}
            past={path[0]}
          />
        </Suspense>
      )}
      {value && tab === 'history' && (
        <HistoryTab id={Number(id)} latest={value.history} key={value.history.instance} />
      )}
    </>
  );
}
