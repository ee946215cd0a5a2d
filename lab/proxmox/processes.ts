import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import { COMPILED } from '../compiled.ts';

/** The processes of one container: a group of its own, so that one signal reaches all of them. */
export interface ContainerProcesses {
  readonly groupId: number;
  /** Settles when the first process, the container's init, has ended. */
  readonly ended: Promise<void>;
  terminate(): void;
  kill(): Promise<void>;
}

interface AgentEnvironment {
  /** In place of the sources. */
  readonly program: string | undefined;
  readonly host: string;
  readonly rootfs: string;
  readonly token: string | undefined;
  readonly stepMs: number;
  /** Of dev containers: a real one, if it is installed. */
  readonly hasCodeServer: boolean;
}

const AGENT = fileURLToPath(new URL('../agent/main.ts', import.meta.url));
/** Installed by `npm run lab:ide`, apart from everything else: it is large. */
export const CODE_SERVER = join(
  ...[fileURLToPath(new URL('../ide/', import.meta.url)), 'node_modules', 'code-server'],
  ...['out', 'node', 'entry.js'],
);
/** Node says so of each program that it runs from sources like ours. */
const QUIET = '--disable-warning=ExperimentalWarning';
const MARKER = 'LAB_CONTAINER_ROOT';
const KILL_POLL_MS = 5;

export function spawnContainer(agent: AgentEnvironment): ContainerProcesses {
  const { program = AGENT } = agent;
  const logs = join(agent.rootfs, 'var', 'log');
  mkdirSync(logs, { recursive: true });
  const log = openSync(join(logs, 'agent.log'), 'a');
  const child = spawn(process.execPath, [QUIET, program], {
    cwd: agent.rootfs,
    detached: true,
    // The agent reads its input only to notice its end: no container outlives the stand-in.
    stdio: ['pipe', log, log],
    env: {
      PATH: '/usr/local/bin:/usr/bin:/bin',
      HOME: agent.rootfs,
      NODE_COMPILE_CACHE: COMPILED,
      [MARKER]: agent.rootfs,
      AGENT_HOST: agent.host,
      AGENT_ROOT: agent.rootfs,
      AGENT_STEP_MS: String(agent.stepMs),
      AGENT_LIFELINE: 'stdin',
      ...(agent.hasCodeServer && existsSync(CODE_SERVER) && { AGENT_CODE_SERVER: CODE_SERVER }),
      ...(agent.token ? { AGENT_TOKEN: agent.token } : {}),
    },
  });
  closeSync(log);
  child.stdin?.on('error', () => undefined);
  child.on('error', () => undefined);
  const { pid } = child;
  if (pid === undefined) throw new Error('the process of the container did not start');
  return createProcesses(pid, child);
}

function createProcesses(groupId: number, child: ChildProcess): ContainerProcesses {
  const ended = new Promise<void>((resolve) => {
    child.once('exit', () => resolve());
    child.once('error', () => resolve());
  });
  return {
    groupId,
    ended,
    terminate: () => child.kill('SIGTERM'),
    async kill() {
      await killGroup(groupId);
      await ended;
    },
  };
}

/** Resolves when no process of the group is left. */
async function killGroup(groupId: number): Promise<void> {
  while (kill(-groupId) && (groupMembers().get(groupId) ?? []).length > 0) {
    await sleep(KILL_POLL_MS);
  }
}

/** False when nobody is there any more. */
function kill(pid: number): boolean {
  try {
    process.kill(pid, 'SIGKILL');
    return true;
  } catch {
    return false;
  }
}

/** The living processes of this machine by process group; zombies are dead. */
export function groupMembers(): Map<number, number[]> {
  const groups = new Map<number, number[]>();
  for (const pid of processIds()) {
    const stat = readOrEmpty(`/proc/${pid}/stat`);
    const [state, , group] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (!group || state === 'Z' || state === 'X') continue;
    const members = groups.get(Number(group));
    if (members) members.push(pid);
    else groups.set(Number(group), [pid]);
  }
  return groups;
}

/**
 * The living processes of the containers whose disks are below this folder. A process is known by
 * the marker in its environment: a number alone may long belong to somebody else.
 */
export function processesBelow(folder: string): number[] {
  const marker = `${MARKER}=${folder}/`;
  return processIds().filter((pid) =>
    readOrEmpty(`/proc/${pid}/environ`)
      .split('\0')
      .some((line) => line.startsWith(marker)),
  );
}

/** Ends what an earlier stand-in with the same data folder left running. */
export async function killLeftovers(dataDir: string): Promise<number> {
  const folder = join(dataDir, 'containers');
  const found = processesBelow(folder).length;
  for (let left = processesBelow(folder); left.length > 0; left = processesBelow(folder)) {
    for (const pid of left) kill(pid);
    await sleep(KILL_POLL_MS);
  }
  return found;
}

function processIds(): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
}

/** A process may end while it is looked at. */
function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
