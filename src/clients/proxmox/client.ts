import { type ContainerOperations, createOperations } from './operations.ts';
import { type ContainerReads, createReads } from './reads.ts';
import { createStarter } from './starter.ts';
import { createTaskCalls, type TaskCalls } from './tasks.ts';
import { createTransport, type TransportOptions } from './transport.ts';

/** Typed access to one Proxmox VE cluster. Disposing closes its connections. */
export interface ProxmoxClient
  extends ContainerReads,
    ContainerOperations,
    TaskCalls,
    AsyncDisposable {}

export type ProxmoxClientOptions = TransportOptions;

/**
 * Every call ends within `timeoutMs`, except `awaitTask`, which its own signal ends, and calls
 * that start a task, which after a lost answer look for that task a little longer.
 */
export function createProxmoxClient(options: ProxmoxClientOptions): ProxmoxClient {
  const transport = createTransport(options);
  const reads = createReads(transport);
  const tasks = createTaskCalls(transport);
  const starter = createStarter(transport, tasks, options.tokenId);
  return {
    ...reads,
    ...tasks,
    ...createOperations({ transport, starter, reads, tasks }),
    [Symbol.asyncDispose]: () => transport[Symbol.asyncDispose](),
  };
}
