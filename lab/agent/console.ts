/** The lines of the game, the last of them kept for whoever opens a console later. */
export interface Console {
  write(line: string): void;
  recent(): readonly string[];
  follow(listener: (line: string) => void): Disposable;
}

const LINES_MAX = 500;

export function createConsole(): Console {
  const lines: string[] = [];
  const followers = new Set<(line: string) => void>();
  return {
    write(line) {
      lines.push(line);
      if (lines.length > LINES_MAX) lines.shift();
      for (const follower of followers) follower(line);
    },
    recent: () => lines,
    follow(listener) {
      followers.add(listener);
      return { [Symbol.dispose]: () => followers.delete(listener) };
    },
  };
}
