/**
 * The moments between which a process may die. Production observes none of them; the crash tests
 * end the process at one and then ask whether anything was lost, doubled or half done.
 */
export type Checkpoint =
  | 'commit.before'
  | 'commit.after'
  | 'enqueue.after'
  | 'progress.before'
  | 'progress.after'
  | 'effect.after'
  | 'tell.before';

export type ObserveCheckpoint = (checkpoint: Checkpoint) => void;
