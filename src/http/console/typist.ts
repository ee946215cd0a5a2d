import { ControlPlaneError } from '../../errors.ts';
import { requireScope } from '../auth/principal.ts';
import { toProblem } from '../problem.ts';
import type { SendCommand } from './commands.ts';
import { type Command, readCommand } from './frames.ts';
import type { Viewer } from './viewer.ts';

/** Lines of one viewer that wait for those before them. */
const WAITING_MAX = 32;

export interface TypistOptions {
  readonly vmid: number;
  readonly viewer: Viewer;
  readonly sendCommand: SendCommand;
  /** What went wrong and is nobody's fault but ours. */
  readonly onBug: (error: unknown) => void;
}

/** Takes what one viewer types: line by line, in its order, each acknowledged. */
export function createTypist(options: TypistOptions): (data: string) => void {
  const { vmid, viewer, sendCommand, onBug } = options;
  const { principal, isPlain } = viewer;
  let waiting = 0;
  let last: Promise<void> = Promise.resolve();

  function refuse(id: string | undefined, error: unknown): void {
    if (!(error instanceof ControlPlaneError)) onBug(error);
    const { error: code, title, detail = title, retryAfterS } = toProblem(error, 'about:blank');
    const why = { error: code, detail, ...(retryAfterS !== undefined && { retryAfterS }) };
    const frame =
      id === undefined ? { type: 'error', ...why } : { type: 'ack', id, ok: false, ...why };
    viewer.say(frame, `[console] ${code}: ${detail}`);
  }

  async function type(command: Command): Promise<void> {
    try {
      // What waited is not typed for somebody who may not any more.
      if (viewer.hasEnded()) return;
      await sendCommand({ vmid, principal, ...command });
      if (command.id !== undefined) viewer.say({ type: 'ack', id: command.id, ok: true });
    } catch (error) {
      refuse(command.id, error);
    } finally {
      waiting -= 1;
    }
  }

  function accept(data: string): void {
    if (viewer.hasEnded()) return;
    let command: Command | undefined;
    try {
      command = readCommand(data, isPlain);
      requireScope(principal, 'write');
      if (waiting >= WAITING_MAX) throw crowded();
    } catch (error) {
      refuse(command?.id, error);
      return;
    }
    const { text, id } = command;
    waiting += 1;
    last = last.then(() => type({ text, id }));
  }
  return accept;
}

const crowded = () =>
  new ControlPlaneError('limit_exceeded', `${WAITING_MAX} commands wait already`, {
    details: { retryAfterS: 1 },
  });
