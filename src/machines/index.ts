import { instanceMachine } from './instance/machine.ts';
import { migrations } from './instance/migrations.ts';
import { operationsOf } from './instance/operations.ts';
import { allowedActions, explain } from './instance/wishes.ts';

/**
 * Every kind of actor that can exist. The key is the `kind` of its address: never rename one.
 * Raise `machineVersion` when stored snapshots of today would not do for the machine of
 * tomorrow, and say in `migrations` how one becomes the other.
 */
export const definitions = {
  instance: {
    machine: instanceMachine,
    machineVersion: 4,
    migrations,
    explain,
    operations: operationsOf,
    allowedActions,
  },
} as const;
