import { useState } from 'react';

import { call } from '../api/client.ts';
import type { Account, ApiToken } from '../api/schema.ts';
import { Age } from '../parts/badge.tsx';
import { Field, Form } from '../parts/field.tsx';
import { Problem } from '../parts/problem.tsx';
import { Table } from '../parts/table.tsx';
import { useResource } from '../state/resource.ts';
import { session } from '../state/session.ts';
import { useSubmission } from '../state/submission.ts';

export function AccountPage({ account }: { readonly account: Account }) {
  return (
    <div className="middle">
      <h1>Account</h1>
      {account.mailBouncedAt && (
        <p className="problem" role="alert">
          Mail to {account.email} comes back, since <Age at={account.mailBouncedAt} after="" />.
        </p>
      )}
      <Names account={account} />
      <Password />
      <Sessions />
      <Tokens isAdmin={account.role === 'admin'} />
    </div>
  );
}

function Names({ account }: { readonly account: Account }) {
  const { isRunning, problem, run } = useSubmission();
  async function save(answers: Readonly<Record<string, string>>): Promise<void> {
    const { firstName = '', lastName = '', displayName = '' } = answers;
    const body = { firstName, lastName, displayName };
    session.trigger.began({ account: (await call('PATCH /api/auth/me', { body })).user });
  }
  return (
    <section>
      <h2>{account.username}</h2>
      <p>
        {account.email}, {account.role === 'admin' ? 'administrator' : 'customer'}
      </p>
      <Form onSend={(answers) => run(() => save(answers))} aria-label="Names">
        <div className="pair">
          <Field label="First name" name="firstName" defaultValue={account.firstName ?? ''} />
          <Field label="Last name" name="lastName" defaultValue={account.lastName ?? ''} />
        </div>
        <Field label="Shown as" name="displayName" defaultValue={account.displayName ?? ''} />
        <Problem problem={problem} />
        <button type="submit" disabled={isRunning}>
          Save the names
        </button>
      </Form>
    </section>
  );
}

function Password() {
  const { isRunning, problem, run } = useSubmission();
  const [isChanged, setChanged] = useState(false);
  return (
    <section>
      <h2>Password</h2>
      <Form
        aria-label="Password"
        onSend={({ currentPassword = '', newPassword = '' }, form) =>
          run(async () => {
            setChanged(false);
            const body = { currentPassword, newPassword };
            await call('POST /api/auth/change-password', { body });
            form.reset();
            setChanged(true);
          })
        }
      >
        <div className="pair">
          <Field
            label="Present one"
            name="currentPassword"
            type="password"
            autoComplete="current-password"
            required
          />
          <Field
            label="New one"
            name="newPassword"
            type="password"
            autoComplete="new-password"
            required
          />
        </div>
        <Problem problem={problem} />
        <button type="submit" disabled={isRunning}>
          Change the password
        </button>
        {isChanged && <p role="status">It is changed. All other sign-ins have ended.</p>}
      </Form>
    </section>
  );
}

function Sessions() {
  const { value, problem, reload } = useResource('sessions', (signal) =>
    call('GET /api/auth/sessions', { signal }),
  );
  const ending = useSubmission();
  return (
    <section>
      <h2>Where you are signed in</h2>
      <Problem problem={problem ?? ending.problem} />
      <Table
        caption="Sign-ins"
        head={['With', 'Since', 'Used', 'End']}
        rows={(value?.sessions ?? []).map(
          ({ id, userAgent, createdAt, lastUsedAt, isCurrent }) => ({
            key: id,
            cells: [
              userAgent ?? 'unknown',
              <Age key="since" at={createdAt} after="" />,
              <Age key="used" at={lastUsedAt} />,
              isCurrent ? (
                'this one'
              ) : (
                <button
                  key="end"
                  type="button"
                  disabled={ending.isRunning}
                  onClick={() =>
                    ending.run(async () => {
                      const path = { sessionId: id };
                      await call('DELETE /api/auth/sessions/{sessionId}', { path });
                      reload();
                    })
                  }
                >
                  End it
                </button>
              ),
            ],
          }),
        )}
      />
    </section>
  );
}

const SCOPES = ['read', 'write', 'admin'] as const;

function Tokens({ isAdmin }: { readonly isAdmin: boolean }) {
  const { value, problem, reload } = useResource('tokens', (signal) =>
    call('GET /api/auth/tokens', { signal }),
  );
  const { isRunning, problem: refusal, run } = useSubmission();
  const [made, setMade] = useState<string | null>(null);

  async function make(answers: Readonly<Record<string, string>>): Promise<void> {
    const { name = '', days } = answers;
    const scopes = SCOPES.filter((scope) => answers[scope] !== undefined);
    const body = { name, scopes, ...(days && { expiresInDays: Number(days) }) };
    setMade((await call('POST /api/auth/tokens', { body })).token);
    reload();
  }
  async function revoke(tokenId: string): Promise<void> {
    await call('DELETE /api/auth/tokens/{tokenId}', { path: { tokenId } });
    reload();
  }

  return (
    <section>
      <h2>Tokens for scripts</h2>
      <Problem problem={problem ?? refusal} />
      <TokenTable
        tokens={value?.tokens ?? []}
        isBusy={isRunning}
        onRevoke={(id) => run(() => revoke(id))}
      />
      <Form onSend={(answers) => run(() => make(answers))} aria-label="New token">
        <div className="pair">
          <Field label="What is it for?" name="name" required />
          <Field label="Days that it is good for" name="days" type="number" min={1} />
        </div>
        <fieldset>
          <legend>What may it do?</legend>
          {SCOPES.filter((scope) => isAdmin || scope !== 'admin').map((scope) => (
            <label key={scope} className="option">
              <input type="checkbox" name={scope} defaultChecked={scope === 'read'} /> {scope}
            </label>
          ))}
        </fieldset>
        <button type="submit" disabled={isRunning}>
          Make a token
        </button>
      </Form>
      {made && (
        <p role="status">
          It is shown this once: <code className="token">{made}</code>
        </p>
      )}
    </section>
  );
}

function TokenTable({
  tokens,
  isBusy,
  onRevoke,
}: {
  readonly tokens: readonly ApiToken[];
  readonly isBusy: boolean;
  readonly onRevoke: (id: string) => void;
}) {
  return (
    <Table
      caption="Tokens"
      head={['For', 'May', 'Made', 'Used', 'End']}
      rows={tokens.map(({ id, name, scopes, createdAt, lastUsedAt }) => ({
        key: id,
        cells: [
          name,
          scopes.join(', '),
          <Age key="made" at={createdAt} />,
          <Age key="used" at={lastUsedAt} />,
          <button key="end" type="button" disabled={isBusy} onClick={() => onRevoke(id)}>
            Revoke {name}
          </button>,
        ],
      }))}
    />
  );
}
