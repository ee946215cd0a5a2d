import type { Faults as AgentFaults } from '../agent/faults.ts';

/** How long things take. The defaults make a lab feel real; tests pass small numbers. */
export interface Delays {
  readonly cloneMs: number;
  readonly createMs: number;
  readonly configureMs: number;
  readonly resizeMs: number;
  readonly startMs: number;
  readonly stopMs: number;
  readonly destroyMs: number;
  /** From the start of a container to its IPv4 address. */
  readonly dhcpMs: number;
  /** How long the config file's lock is waited for: 10 s in the original. */
  readonly lockWaitMs: number;
  /** A refused login is answered late, so that secrets cannot be guessed fast: 3 s originally. */
  readonly authFailureMs: number;
  /** Handed to the agents: the length of one install step. */
  readonly installStepMs: number;
}

export const DEFAULT_DELAYS: Delays = {
  cloneMs: 1_500,
  createMs: 1_000,
  configureMs: 20,
  resizeMs: 100,
  startMs: 300,
  stopMs: 200,
  destroyMs: 300,
  dhcpMs: 500,
  lockWaitMs: 10_000,
  authFailureMs: 3_000,
  installStepMs: 200,
};

export interface ProxmoxOptions {
  readonly dataDir: string;
  readonly port?: number;
  readonly nodes?: readonly string[];
  readonly templateVmid?: number;
  readonly delays?: Partial<Delays>;
  readonly agentToken?: string;
  /** What each container starts in place of the agent's sources, e.g. the same in one piece. */
  readonly agentProgram?: string;
  /** Written into the root of every new container, where its agent looks for them. */
  readonly agentFaults?: AgentFaults;
  /** Dev containers run a real code-server, if `npm run lab:ide` has installed it. */
  readonly codeServer?: boolean;
  /** The original locks the source while it clones, so that a second clone of it is refused. */
  readonly cloneLocksSource?: boolean;
  log?(line: string): void;
}
