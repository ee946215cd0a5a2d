import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach } from 'vitest';

import type { HttpFault, StandIn } from '../../lab/stand-in.ts';
import type { DnsClient } from '../../src/clients/dns-records.ts';

type Method = HttpFault['method'];

/** What differs between the servers. */
export interface DnsServer<S extends StandIn & { readonly token: string }> {
  readonly zone: string;
  start(dataDir: string): Promise<S>;
  connect(standIn: S, options?: { timeoutMs?: number; token?: string }): DnsClient;
  /** As an administrator would. */
  addByHand(standIn: S, record: { name: string; type: 'A' | 'CNAME'; content: string }): void;
  /** How many records under that name the server itself has, whoever's they are. */
  count(standIn: S, name: string): number;
  readonly requests: Readonly<
    Record<'read' | 'create' | 'remove', { method: Method; path: RegExp }>
  >;
}

/** A fault without the requests that it strikes. */
export type FaultKind = HttpFault extends infer F
  ? F extends unknown
    ? Omit<F, 'method' | 'path'>
    : never
  : never;

/** A fresh stand-in for each test, and a client of it. */
export function setUpDns<S extends StandIn & { readonly token: string }>(server: DnsServer<S>) {
  let opened: { stack: AsyncDisposableStack; standIn: S; client: DnsClient } | undefined;
  beforeEach(async () => {
    const stack = new AsyncDisposableStack();
    const dataDir = await mkdtemp(join(tmpdir(), 'zpack-dns-'));
    stack.defer(() => rm(dataDir, { recursive: true, force: true }));
    const standIn = stack.use(await server.start(dataDir));
    opened = { stack, standIn, client: stack.use(server.connect(standIn)) };
  });
  afterEach(() => opened?.stack.disposeAsync());
  const open = () => {
    if (!opened) throw new Error('the stand-in has not started yet');
    return opened;
  };
  return {
    get standIn() {
      return open().standIn;
    },
    get client() {
      return open().client;
    },
    plan: (call: keyof DnsServer<S>['requests'], fault: FaultKind) =>
      open().standIn.faults.plan({ ...fault, ...server.requests[call] } as HttpFault),
    sent: (call: keyof DnsServer<S>['requests']) => {
      const { method, path } = server.requests[call];
      const all = open().standIn.requests();
      return all.filter((one) => one.method === method && path.test(one.path)).length;
    },
  };
}
