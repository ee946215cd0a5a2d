import type { Queues } from './queues.ts';

export interface MailWaker {
  /** Only a hint: never waited for, never needed. */
  readonly soon: (id: string) => void;
  enqueue(ids: readonly string[]): Promise<void>;
}

/** A job names a mail; what it says and whether it is to be sent is read where it is kept. */
export function createMailWaker(options: {
  readonly queues: Queues;
  readonly onError: (error: unknown) => void;
}): MailWaker {
  const enqueue = async (ids: readonly string[]): Promise<void> => {
    const jobs = ids.map((id) => ({
      name: 'send',
      data: { id },
      // The same mail is the same job: what is waiting or running already is not added again.
      opts: { jobId: id, removeOnComplete: true, removeOnFail: true },
    }));
    await options.queues.get('mails').addBulk(jobs);
  };
  return { enqueue, soon: (id) => void enqueue([id]).catch(options.onError) };
}
