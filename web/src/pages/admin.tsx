import { Tabs } from '../parts/tabs.tsx';
import { hrefOf } from '../router.ts';
import { BillingRuns } from './admin-billing.tsx';
import { EdgeParties } from './admin-edge.tsx';
import { NodeHealth } from './admin-nodes.tsx';
import { AllOperations } from './admin-operations.tsx';
import { Audit, Mails, Users } from './admin-people.tsx';
import { QueueBoard } from './admin-queues.tsx';
import { Reconcile } from './admin-reconcile.tsx';

const TABS = {
  users: ['Accounts', Users],
  audit: ['Audit', Audit],
  nodes: ['Nodes', NodeHealth],
  operations: ['Operations', AllOperations],
  reconcile: ['Debts', Reconcile],
  queues: ['Queues', QueueBoard],
  edge: ['Edge', EdgeParties],
  mails: ['Mails', Mails],
  billing: ['Billing runs', BillingRuns],
} as const;

export function AdminPage({ tab }: { readonly tab: string }) {
  const current = tab in TABS ? (tab as keyof typeof TABS) : 'users';
  const Part = TABS[current][1];
  return (
    <>
      <h1>Administration</h1>
      <Tabs
        label="Parts of the administration"
        current={current}
        tabs={Object.entries(TABS).map(([name, [text]]) => ({
          ...{ name, text, href: hrefOf('admin', name) },
        }))}
      />
      <Part />
    </>
  );
}
