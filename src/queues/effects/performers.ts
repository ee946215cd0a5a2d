import { type AgentOptions, createAgentPerformers } from './agent.ts';
import { type BackupOptions, createBackupPerformers } from './backups.ts';
import { type CallOptions, createCalls } from './calls.ts';
import { type CloneOptions, createClone } from './clone.ts';
import { createDestroy } from './destroy.ts';
import { createEdgePerformers, type EdgeOptions } from './edge.ts';
import type { Performers } from './performer.ts';
import { createPower, type PowerOptions } from './power.ts';

/** How each kind of effect is performed. A new kind does not compile until it has a place here. */
export function createPerformers(options: {
  readonly host: CloneOptions & CallOptions & PowerOptions;
  readonly agent: AgentOptions;
  readonly edge: EdgeOptions;
  readonly backup: BackupOptions;
}): Performers {
  return {
    'container.clone': createClone(options.host),
    ...createCalls(options.host),
    ...createPower(options.host),
    'container.destroy': createDestroy(options.host),
    ...createAgentPerformers(options.agent),
    ...createEdgePerformers(options.edge),
    ...createBackupPerformers(options.backup),
  };
}
