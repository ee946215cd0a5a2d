import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { extname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { stripVTControlCharacters } from 'node:util';

import type { Game } from './games.ts';
import { nearestVersion } from './minecraft-versions.ts';
import type { GamePayload } from './payload.ts';

/** The game's own process, in the process group of the container. */
export interface GameProcess {
  readonly pid: number;
  readonly startedAtMs: number;
  /** Settles with true when it ended in order, with false when it broke down. */
  readonly ended: Promise<boolean>;
  command(line: string): void;
  stop(): Promise<void>;
}

interface GameOrder {
  readonly root: string;
  readonly host: string;
  readonly port: number;
  readonly game: Game;
  readonly payload: GamePayload;
  readonly write: (line: string) => void;
}

/** The games' programs lie beside ours, whether these are the sources or were made of them. */
const SUFFIX = extname(import.meta.url);
const STOP_GRACE_MS = 5_000;

export function startGame(order: GameOrder): GameProcess {
  const { root, host, port, game, payload, write } = order;
  const program = game.protocol === 'minecraft' ? 'minecraft-server' : 'game-server';
  const cwd = join(root, 'srv', 'game');
  mkdirSync(join(cwd, 'logs'), { recursive: true });
  const child = spawn(
    process.execPath,
    ['--no-deprecation', fileURLToPath(new URL(`./${program}${SUFFIX}`, import.meta.url))],
    {
      cwd,
      stdio: ['pipe', 'pipe', 'pipe'],
      env: {
        ...inherited(),
        GAME_NAME: payload.game,
        GAME_PROTOCOL: game.protocol,
        GAME_HOST: host,
        GAME_PORT: String(port),
        GAME_VERSION: game.protocol === 'minecraft' ? nearestVersion(payload.version) : '',
        GAME_WORLD: payload.world,
      },
    },
  );
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on('line', (line) => write(plain(line)));
  }
  // Writing to a game that has just ended is no reason to end as well.
  child.stdin.on('error', () => undefined);
  return createGameProcess(child, (line) => child.stdin.write(`${line.replace(/^\//, '')}\n`));
}

function createGameProcess(child: ChildProcess, command: (line: string) => void): GameProcess {
  const ended = new Promise<boolean>((resolve) => {
    child.once('exit', (code) => resolve(code === 0));
    child.once('error', () => resolve(false));
  });
  return {
    pid: child.pid ?? 0,
    startedAtMs: Date.now(),
    ended,
    command,
    async stop() {
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), STOP_GRACE_MS);
      await ended;
      clearTimeout(timer);
    },
  };
}

/** The game has no business with the agent's own settings, its token least of all. */
function inherited(): Record<string, string | undefined> {
  const own = Object.entries(process.env);
  return Object.fromEntries(own.filter(([name]) => !name.startsWith('AGENT_')));
}

/** Without colours, and without the prompts of a console that believes somebody sits at it. */
function plain(line: string): string {
  return stripVTControlCharacters(line).replace(/^(> )+/, '');
}
