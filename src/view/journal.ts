import type { Stored } from '../actors/store.ts';

/** One step of one actor, in the order in which all steps were committed. */
export interface JournalEntry {
  readonly seq: number;
  readonly id: string;
  readonly vmid: number;
  /** The version that the step led to. */
  readonly version: number;
  readonly at: Date;
  readonly type: string;
  /** The value of its state then. */
  readonly regions: unknown;
  /** Whose it is, or was. null: nothing is left that says so. */
  readonly customerId: string | null;
}

/** `seq` is dense and in the order of commits: whoever asks for more than the last misses none. */
export interface JournalReader {
  readAfter(seq: number, limit: number): Promise<readonly JournalEntry[]>;
  /** The last `seq` that has been handed out and committed. */
  head(): Promise<number>;
}

/** An instance as its row has it. */
export interface FleetRow extends Stored {
  readonly vmid: number;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

export interface FleetRows {
  find(vmid: number): Promise<FleetRow | null>;
  /** Those that live; the others are absent. */
  load(ids: readonly string[]): Promise<readonly FleetRow[]>;
  /** By VMID, beyond `afterVmid`. */
  page(afterVmid: number, limit: number): Promise<readonly FleetRow[]>;
}
