import { createStore } from '@xstate/store-react';

import { call, onSignedOut } from '../api/client.ts';
import type { Account, Session } from '../api/schema.ts';
import { tokens } from '../api/tokens.ts';

interface SessionContext {
  readonly phase: 'unknown' | 'signedOut' | 'signedIn';
  readonly account: Account | null;
}

/** Who is signed in. */
export const session = createStore({
  context: { phase: 'unknown', account: null } as SessionContext,
  on: {
    began: (_, { account }: { account: Account }): SessionContext => ({
      phase: 'signedIn',
      account,
    }),
    ended: (): SessionContext => ({ phase: 'signedOut', account: null }),
  },
});

onSignedOut(() => session.trigger.ended());

/** After a reload: goes on with the session of this tab, if there is one. */
export async function resume(): Promise<void> {
  if (tokens.refresh() === null) return void session.trigger.ended();
  try {
    session.trigger.began({ account: (await call('GET /api/auth/me', {})).user });
  } catch {
    // The sign-in page says it when it is tried: it may be the network, or the end of the session.
    session.trigger.ended();
  }
}

function begin(answer: Session): void {
  tokens.keep(answer);
  session.trigger.began({ account: answer.user });
}

export async function signIn(identifier: string, password: string): Promise<void> {
  begin(await call('POST /api/auth/login', { body: { identifier, password } }));
}

export async function register(body: {
  readonly email: string;
  readonly username: string;
  readonly password: string;
}): Promise<void> {
  begin(await call('POST /api/auth/register', { body }));
}

/** Ends here in any case, and at the service if it answers. */
export async function signOut(): Promise<void> {
  try {
    await call('POST /api/auth/logout', {});
  } finally {
    tokens.forget();
    session.trigger.ended();
  }
}
