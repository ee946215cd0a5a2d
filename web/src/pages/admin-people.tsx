import { useState } from 'react';

import { call } from '../api/client.ts';
import type { User } from '../api/schema.ts';
import { Age, Badge } from '../parts/badge.tsx';
import { Field, Form } from '../parts/field.tsx';
import { Pager } from '../parts/pager.tsx';
import { Problem } from '../parts/problem.tsx';
import { Table } from '../parts/table.tsx';
import { useResource } from '../state/resource.ts';
import { useSubmission } from '../state/submission.ts';

const PAGE = 50;

export function Users() {
  const [search, setSearch] = useState('');
  const [cursor, setCursor] = useState<string | null>(null);
  const { value, problem, reload } = useResource(`users ${search} ${cursor}`, (signal) => {
    const query = { limit: PAGE, ...(search && { search }), ...(cursor && { cursor }) };
    return call('GET /api/admin/users', { query, signal });
  });
  const { isRunning, problem: refusal, run } = useSubmission();

  async function turn({ id, role }: User): Promise<void> {
    const body = { role: role === 'admin' ? 'user' : 'admin' } as const;
    await call('PATCH /api/admin/users/{userId}', { path: { userId: id }, body });
    reload();
  }

  return (
    <section aria-label="Accounts">
      <Form
        className="inline"
        onSend={({ search: wanted = '' }) => {
          setCursor(null);
          setSearch(wanted.trim());
        }}
      >
        <Field label="Name or e-mail" name="search" type="search" />
        <button type="submit">Search</button>
      </Form>
      <Problem problem={problem ?? refusal} />
      <Table
        caption="Accounts"
        head={['Username', 'E-mail', 'Id', 'Role', 'Since', 'Change']}
        rows={(value?.users ?? []).map((user) => ({
          key: user.id,
          cells: [
            user.username,
            <>
              {user.email}{' '}
              {user.mailBouncedAt && (
                <>
                  <Badge word="bounced" /> <Age at={user.mailBouncedAt} />
                </>
              )}
            </>,
            <code key="id">{user.id}</code>,
            user.role,
            <Age key="since" at={user.createdAt} />,
            <button
              key="role"
              type="button"
              disabled={isRunning}
              onClick={() => run(() => turn(user))}
            >
              {user.role === 'admin' ? 'Make a customer' : 'Make an administrator'}
            </button>,
          ],
        }))}
      />
      <Pager isFirst={cursor === null} next={value?.nextCursor ?? null} onTurn={setCursor} />
    </section>
  );
}

export function Audit() {
  const [cursor, setCursor] = useState<string | null>(null);
  const { value, problem } = useResource(`audit ${cursor}`, (signal) =>
    call('GET /api/admin/audit', { query: { limit: PAGE, ...(cursor && { cursor }) }, signal }),
  );
  return (
    <section aria-label="Audit">
      <Problem problem={problem} />
      <Table
        caption="Audit"
        head={['When', 'Who', 'Whom', 'What', 'End', 'From']}
        rows={(value?.entries ?? []).map((entry) => ({
          key: entry.id,
          cells: [
            <Age key="at" at={entry.at} />,
            entry.actorId ?? '–',
            entry.subjectId ?? '–',
            entry.action,
            entry.outcome,
            entry.ip ?? '–',
          ],
        }))}
      />
      <Pager isFirst={cursor === null} next={value?.nextCursor ?? null} onTurn={setCursor} />
    </section>
  );
}

export function Mails() {
  const [after, setAfter] = useState<string | null>(null);
  const { value, problem } = useResource(`mails ${after}`, (signal) =>
    call('GET /api/admin/mails', { query: after ? { after } : {}, signal }),
  );
  return (
    <section aria-label="Mails">
      <Problem problem={problem} />
      <Table
        caption="Mails"
        head={['When', 'To', 'What', 'State', 'Attempts', 'Failure']}
        rows={(value?.mails ?? []).map((mail) => ({
          key: mail.id,
          cells: [
            <Age key="at" at={mail.createdAt} />,
            mail.recipient,
            mail.kind.replaceAll('_', ' '),
            <Badge key="state" word={mail.state} />,
            mail.attempts,
            mail.error ?? '–',
          ],
        }))}
      />
      <Pager isFirst={after === null} next={value?.next ?? null} onTurn={setAfter} />
    </section>
  );
}
