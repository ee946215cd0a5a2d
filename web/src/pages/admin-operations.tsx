import { useState } from 'react';

import { call } from '../api/client.ts';
import type { ListedOperation } from '../api/schema.ts';
import { Age, Badge, Due } from '../parts/badge.tsx';
import { Choice, Field, Form } from '../parts/field.tsx';
import { Pager } from '../parts/pager.tsx';
import { Problem } from '../parts/problem.tsx';
import { Table } from '../parts/table.tsx';
import { hrefOf } from '../router.ts';
import { useRepeated, useResource } from '../state/resource.ts';

type Kind = ListedOperation['kind'];
type State = ListedOperation['state'];

const ANY = 'any';
/** As objects, so that one that the service adds is missed by the compiler. */
const KINDS: Readonly<Record<Kind, true>> = {
  ...{ create: true, retry: true, delete: true, start: true, stop: true, restart: true },
  ...{ publish: true, unpublish: true },
  ...{ backup: true, restore: true, verify: true, backup_deletion: true },
};
const STATES: Readonly<Record<State, true>> = {
  ...{ running: true, failed: true, succeeded: true, superseded: true },
};
const PAGE = 50;
const LOOK_MS = 10_000;

interface Filter {
  readonly state?: State;
  readonly kind?: Kind;
  readonly vmid?: number;
}

const readFilter = (answers: Readonly<Record<string, string>>): Filter => {
  const { state = ANY, kind = ANY, vmid = '' } = answers;
  return {
    ...(state !== ANY && { state: state as State }),
    ...(kind !== ANY && { kind: kind as Kind }),
    ...(vmid.trim() !== '' && { vmid: Number(vmid) }),
  };
};

/** What was done to all servers, the latest first. */
export function AllOperations() {
  const [filter, setFilter] = useState<Filter>({});
  const [cursor, setCursor] = useState<string | null>(null);
  const key = `all operations ${JSON.stringify(filter)} ${cursor}`;
  const { value, problem, readAt, reload } = useResource(key, (signal) => {
    const query = { limit: PAGE, ...filter, ...(cursor !== null && { cursor }) };
    return call('GET /api/admin/operations', { query, signal });
  });
  useRepeated(reload, LOOK_MS);
  return (
    <section aria-label="Operations">
      <Form
        className="inline"
        aria-label="Which operations"
        onSend={(answers) => {
          setCursor(null);
          setFilter(readFilter(answers));
        }}
      >
        <Choice label="State" name="state" options={[ANY, ...Object.keys(STATES)]} />
        <Choice label="What" name="kind" options={[ANY, ...Object.keys(KINDS)]} />
        <Field label="Number" name="vmid" type="number" min={100} />
        <button type="submit">Show</button>
      </Form>
      <Problem problem={problem} />
      {readAt !== null && <Age at={readAt} before="read " />}
      {value && (
        <>
          <Table
            caption="Operations"
            head={['Asked for', 'Server', 'What', 'State', 'Step', 'For whom', 'Failure']}
            rows={value.operations.map((one) => ({
              key: `${one.instanceId} ${one.id}`,
              cells: cellsOf(one),
            }))}
          />
          <Pager isFirst={cursor === null} next={value.nextCursor} onTurn={setCursor} />
        </>
      )}
    </section>
  );
}

function cellsOf(one: ListedOperation) {
  const { hostname, vmid, state, deadline, error } = one;
  return [
    <Age key="at" at={one.acceptedAt} />,
    hostname === null ? (
      `${vmid}, gone`
    ) : (
      <a key="server" href={hrefOf('servers', vmid)}>
        {hostname}
      </a>
    ),
    one.kind.replaceAll('_', ' '),
    <span key="state">
      <Badge word={state} />{' '}
      {one.finishedAt !== null && <Age at={one.finishedAt} before="ended " />}
      {state === 'running' && deadline !== null && (
        <>
          ends at the latest <Due at={deadline} />
        </>
      )}
    </span>,
    one.step ?? '–',
    one.requestedBy,
    error ? `${error.step}: ${error.message}` : '–',
  ];
}
