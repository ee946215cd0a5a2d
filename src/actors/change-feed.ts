/** An actor stepped, here or on another node. */
export interface Change {
  readonly id: string;
  readonly version: number;
}

/** Not reliable, and need not be: a change that is not heard of is found by looking. */
export interface ChangeFeed {
  publish(changes: readonly Change[]): void;
  subscribe(listener: (change: Change) => void): () => void;
}
