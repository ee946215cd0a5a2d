/** Runs the tasks of one id one after the other, in the order of arrival; those of others beside. */
export function createMailboxes() {
  const tails = new Map<string, Promise<unknown>>();

  return function enqueue<Result>(id: string, task: () => Promise<Result>): Promise<Result> {
    const before = tails.get(id);
    const mine = before === undefined ? task() : before.then(task, task);
    tails.set(id, mine);
    const leave = () => {
      if (tails.get(id) === mine) tails.delete(id);
    };
    mine.then(leave, leave);
    return mine;
  };
}
