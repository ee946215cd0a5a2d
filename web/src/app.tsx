import { useSelector } from '@xstate/store-react';
import { useEffect } from 'react';

import type { Account } from './api/schema.ts';
import { AccountPage } from './pages/account.tsx';
import { AdminPage } from './pages/admin.tsx';
import { BillingPage } from './pages/billing.tsx';
import { CreatePage } from './pages/create.tsx';
import { FleetPage } from './pages/fleet.tsx';
import { ServerPage } from './pages/server.tsx';
import { SignInPage } from './pages/sign-in.tsx';
import { Problem } from './parts/problem.tsx';
import { hrefOf, useRoute } from './router.ts';
import { follow } from './state/fleet.ts';
import { session, signOut } from './state/session.ts';
import { useSubmission } from './state/submission.ts';

export function App() {
  const { phase, account } = useSelector(session, ({ context }) => context);
  if (phase === 'unknown') return <p className="quiet padded">One moment …</p>;
  return account ? <SignedIn account={account} /> : <SignInPage />;
}

function SignedIn({ account }: { readonly account: Account }) {
  const route = useRoute();
  // Another account sees another fleet.
  // biome-ignore lint/correctness/useExhaustiveDependencies: see above
  useEffect(() => {
    const ending = new AbortController();
    follow(ending.signal);
    return () => ending.abort();
  }, [account.id]);
  return (
    <>
      <Header account={account} current={route[0] ?? 'servers'} />
      <main>
        <Page route={route} account={account} />
      </main>
    </>
  );
}

function Page({
  route: [first, second, ...rest],
  account,
}: {
  readonly route: readonly string[];
  readonly account: Account;
}) {
  if (first === undefined) return <FleetPage />;
  if (first === 'servers' && second !== undefined) {
    return <ServerPage key={second} id={second} rest={rest} account={account} />;
  }
  if (first === 'new') return <CreatePage account={account} />;
  if (first === 'account') return <AccountPage account={account} />;
  if (first === 'billing') return <BillingPage />;
  if (first === 'admin' && account.role === 'admin') return <AdminPage tab={second ?? 'users'} />;
  return (
    <>
      <h1>There is no such page</h1>
      <p>
        <a href="#/">Go to the servers</a>
      </p>
    </>
  );
}

function Header({ account, current }: { readonly account: Account; readonly current: string }) {
  const { isRunning, problem, run } = useSubmission();
  const links = [
    ['servers', 'Servers', '#/'],
    ['new', 'New server', hrefOf('new')],
    ['account', 'Account', hrefOf('account')],
    ['billing', 'Billing', hrefOf('billing')],
    ...(account.role === 'admin' ? [['admin', 'Administration', hrefOf('admin')] as const] : []),
  ] as const;
  return (
    <header className="top">
      <nav aria-label="Main">
        <span className="brand">ZPack</span>
        {links.map(([name, text, href]) => (
          <a key={name} href={href} aria-current={name === current ? 'page' : undefined}>
            {text}
          </a>
        ))}
      </nav>
      <div className="who">
        <span className="quiet">{account.displayName ?? account.username}</span>
        <button type="button" disabled={isRunning} onClick={() => run(signOut)}>
          Sign out
        </button>
      </div>
      <Problem problem={problem} />
    </header>
  );
}
