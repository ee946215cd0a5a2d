import { useState } from 'react';

import { call } from '../api/client.ts';
import { Field, Form } from '../parts/field.tsx';
import { Problem } from '../parts/problem.tsx';
import { register, signIn } from '../state/session.ts';
import { useSubmission } from '../state/submission.ts';

type Way = 'sign-in' | 'register' | 'reset';

const TITLES: Readonly<Record<Way, string>> = {
  'sign-in': 'Sign in',
  register: 'Open an account',
  reset: 'Ask for a new password',
};

export function SignInPage() {
  const [way, setWay] = useState<Way>('sign-in');
  const others = (Object.keys(TITLES) as Way[]).filter((one) => one !== way);
  return (
    <main className="narrow">
      <p className="brand">ZPack</p>
      <h1>{TITLES[way]}</h1>
      {way === 'sign-in' && <SignIn />}
      {way === 'register' && <Register />}
      {way === 'reset' && <Reset />}
      <p className="buttons">
        {others.map((one) => (
          <button key={one} type="button" className="link" onClick={() => setWay(one)}>
            {TITLES[one]}
          </button>
        ))}
      </p>
    </main>
  );
}

function SignIn() {
  const { isRunning, problem, run } = useSubmission();
  return (
    <Form
      onSend={({ identifier = '', password = '' }) => run(() => signIn(identifier, password))}
      aria-label="Sign in"
    >
      <Field label="E-mail or username" name="identifier" autoComplete="username" required />
      <Field
        label="Password"
        name="password"
        type="password"
        autoComplete="current-password"
        required
      />
      <Problem problem={problem} />
      <button type="submit" className="main" disabled={isRunning}>
        Sign in
      </button>
    </Form>
  );
}

function Register() {
  const { isRunning, problem, run } = useSubmission();
  return (
    <Form
      onSend={({ email = '', username = '', password = '' }) =>
        run(() => register({ email, username, password }))
      }
      aria-label="Open an account"
    >
      <Field label="E-mail" name="email" type="email" autoComplete="email" required />
      <Field label="Username" name="username" autoComplete="username" required />
      <Field
        label="Password"
        name="password"
        type="password"
        autoComplete="new-password"
        required
      />
      <Problem problem={problem} />
      <button type="submit" className="main" disabled={isRunning}>
        Open the account
      </button>
    </Form>
  );
}

function Reset() {
  const { isRunning, problem, run } = useSubmission();
  const [isAsked, setAsked] = useState(false);
  return (
    <Form
      onSend={({ email = '' }) =>
        run(async () => {
          setAsked(false);
          await call('POST /api/auth/password-reset/request', { body: { email } });
          setAsked(true);
        })
      }
      aria-label="Ask for a new password"
    >
      <Field label="E-mail" name="email" type="email" autoComplete="email" required />
      <Problem problem={problem} />
      <button type="submit" className="main" disabled={isRunning}>
        Send the link
      </button>
      {isAsked && (
        <p role="status">If there is an account of this address, a link is on its way.</p>
      )}
    </Form>
  );
}
