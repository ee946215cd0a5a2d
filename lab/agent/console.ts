import { type ConsoleLog, openConsoleLog } from './console-log.ts';

/** The lines of the game, numbered from the beginning of the log. */
export interface Console extends Pick<ConsoleLog, 'epoch' | 'first' | 'next'> {
  write(line: string): void;
  /** Some of the lines from there on, at least one if there are any. */
  read(from: number, linesMax?: number): readonly string[];
  /** Where whoever has seen nothing yet begins. */
  recent(linesMax?: number): number;
  /** Tells that there is more. */
  follow(listener: () => void): Disposable;
}

const RECENT_MAX = 500;
const READ_MAX = 200;
const LINE_LENGTH_MAX = 8_192;
const READ_LENGTH_MAX = 64 * 1024;

export function openConsole(folder: string): Console {
  const log = openConsoleLog(folder);
  /** The end of it, so that who follows costs no look at the disk. */
  const kept: string[] = [];
  const followers = new Set<() => void>();
  return {
    epoch: log.epoch,
    first: log.first,
    next: log.next,
    write(line) {
      const cut = line.replaceAll('\n', ' ').slice(0, LINE_LENGTH_MAX).toWellFormed();
      log.append(cut);
      kept.push(cut);
      if (kept.length > RECENT_MAX) kept.shift();
      for (const follower of followers) follower();
    },
    read(from, linesMax = READ_MAX) {
      const start = from - (log.next() - kept.length);
      const wanted = Math.min(linesMax, READ_MAX);
      const lines = start >= 0 ? kept.slice(start, start + wanted) : log.read(from, wanted);
      return withinLength(lines);
    },
    recent: (linesMax = RECENT_MAX) =>
      Math.max(log.first(), log.next() - Math.min(linesMax, RECENT_MAX)),
    follow(listener) {
      followers.add(listener);
      return { [Symbol.dispose]: () => followers.delete(listener) };
    },
  };
}

/** What is sent in one piece has an end; one line always fits. */
function withinLength(lines: readonly string[]): readonly string[] {
  let length = 0;
  const over = lines.findIndex((line, index) => {
    length += line.length;
    return index > 0 && length > READ_LENGTH_MAX;
  });
  return over === -1 ? lines : lines.slice(0, over);
}
