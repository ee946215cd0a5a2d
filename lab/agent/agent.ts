import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { type CodeServer, createCodeServer } from './code-server.ts';
import { type Console, openConsole } from './console.ts';
import { noteFired, readFaults } from './faults.ts';
import { type GameProcess, startGame } from './game-process.ts';
import { GAMES } from './games.ts';
import { install, runtimeMarker } from './install.ts';
import { createMemory, type Memory } from './memory.ts';
import { nearestVersion } from './minecraft-versions.ts';
import { type GamePayload, type Payload, samePayload } from './payload.ts';
import { checkRuntime, type Probed, probeGame } from './readiness.ts';

type State =
  | 'idle'
  | 'installing'
  | 'starting'
  | 'running'
  | 'stopping'
  | 'stopped'
  | 'crashed'
  | 'error';

/** What is asked of the agent and refused; `code` is the member `error` of the answer. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

export interface AgentOptions {
  readonly root: string;
  readonly host: string;
  readonly stepMs: number;
  /** The program of a real code-server, for dev containers. */
  readonly codeServer: string | undefined;
}

const PROBE_PAUSE_MS = 25;
const WATCH_PAUSE_MS = 5_000;

/** One container's agent: it installs what it is told once, and keeps the game's state. */
export class Agent {
  readonly console: Console;
  readonly #codeServer: CodeServer;
  readonly #options: AgentOptions;
  readonly #memory: Memory;
  #state: State = 'idle';
  #installStep: string | undefined;
  #error: string | undefined;
  #game: GameProcess | undefined;
  #probed: Probed | undefined;

  constructor(options: AgentOptions) {
    this.#options = options;
    this.#memory = createMemory(join(options.root, 'agent.json'));
    this.console = openConsole(join(options.root, 'var', 'log', 'console'));
    this.#codeServer = createCodeServer({
      ...{ root: options.root, host: options.host, program: options.codeServer },
      write: (line) => this.console.write(line),
    });
  }

  /** True when it was already done, so that nothing begins. */
  configure(payload: Payload): boolean {
    const { payload: known, installed } = this.#memory.read();
    if (known && (installed || this.#state === 'installing')) {
      if (samePayload(known, payload)) return installed;
      throw new Refusal('already_configured', 'another configuration is in place');
    }
    this.#memory.write({ payload, installed: false, crashCount: 0 });
    void this.#installAndStart(payload);
    return false;
  }

  /** Takes up what was installed, or half installed, before a restart. */
  resume(): void {
    const { payload, installed } = this.#memory.read();
    if (!payload) return;
    if (installed) this.#launch(payload);
    else void this.#installAndStart(payload);
  }

  start(): void {
    const payload = this.#installedPayload();
    if (this.#state === 'stopping') throw new Refusal('stopping', 'the game is about to stop');
    if (this.#state !== 'running' && this.#state !== 'starting') this.#launch(payload);
  }

  async stop(): Promise<void> {
    this.#installedPayload();
    const game = this.#game;
    if (game) {
      this.#enter('stopping');
      await game.stop();
    }
    this.#enter('stopped');
  }

  command(line: string): void {
    if (!this.#game) throw new Refusal('not_running', 'no game runs');
    this.#game.command(line);
  }

  /** What runs beside, and ends with the agent. */
  async end(): Promise<void> {
    await this.#codeServer.stop();
  }

  /** The IDE, which only a dev container has. */
  codeServer(): CodeServer {
    if (this.#installedPayload().container_type === 'dev') return this.#codeServer;
    throw new Refusal('not_a_dev_container', 'a game has no IDE');
  }

  async ready(): Promise<Probed> {
    const { root } = this.#options;
    const { payload } = this.#memory.read();
    const { neverReady, saysCrashed } = readFaults(root);
    if (neverReady) throw new Error('still loading');
    if (saysCrashed) throw new Error('the state is crashed');
    if (!payload || this.#state !== 'running') throw new Error(`the state is ${this.#state}`);
    if (payload.container_type === 'dev') return checkRuntime(runtimeMarker(root));
    return await this.#probe(payload);
  }

  status(): Readonly<Record<string, unknown>> {
    const { payload, crashCount } = this.#memory.read();
    const uptimeMs = this.#game ? Date.now() - this.#game.startedAtMs : 0;
    const protocolVersion = this.#probed?.protocolVersion;
    const { saysCrashed } = readFaults(this.#options.root);
    if (saysCrashed) noteFired(this.#options.root, 'saysCrashed', '/status');
    return {
      state: saysCrashed ? 'crashed' : this.#state,
      ...(this.#installStep ? { installStep: this.#installStep } : {}),
      ...(this.#error ? { error: this.#error } : {}),
      crashCount: saysCrashed ?? crashCount,
      players: this.#probed?.players ?? 0,
      uptimeSeconds: Math.floor(uptimeMs / 1000),
      ...(payload ? describe(payload) : {}),
      ...(protocolVersion ? { protocolVersion } : {}),
    };
  }

  #installedPayload(): Payload {
    const { payload, installed } = this.#memory.read();
    if (!payload) throw new Refusal('not_configured', 'nothing is configured yet');
    if (!installed) throw new Refusal('not_installed', 'the installation is not finished');
    return payload;
  }

  #enter(state: State, error?: string): void {
    this.#state = state;
    this.#error = error;
    if (state !== 'installing') this.#installStep = undefined;
  }

  async #installAndStart(payload: Payload): Promise<void> {
    const { root, stepMs } = this.#options;
    this.#enter('installing');
    const step = (name: string) => {
      this.#installStep = name;
      this.console.write(`[agent] ${name}`);
    };
    try {
      await install({ root, stepMs, payload, step });
      this.#memory.write({ ...this.#memory.read(), payload, installed: true });
      this.#launch(payload);
    } catch (error) {
      this.#enter('error', error instanceof Error ? error.message : String(error));
    }
  }

  #launch(payload: Payload): void {
    if (payload.container_type === 'dev') {
      this.#codeServer.start();
      this.#enter('running');
      return;
    }
    const { root, host } = this.#options;
    this.#enter('starting');
    this.#installStep = 'start';
    const game = startGame({
      root,
      host,
      port: portOf(payload),
      game: gameOf(payload),
      payload,
      write: (line) => this.console.write(line),
    });
    this.#game = game;
    this.#probed = undefined;
    if (readFaults(root).crashOnStart) process.kill(game.pid, 'SIGKILL');
    void game.ended.then((orderly) => this.#noteEnd(game, orderly));
    void this.#watch(game, payload);
  }

  #noteEnd(game: GameProcess, orderly: boolean): void {
    if (this.#game !== game) return;
    this.#game = undefined;
    this.#probed = undefined;
    if (this.#state === 'stopping' || orderly) {
      this.#enter('stopped');
      return;
    }
    const known = this.#memory.read();
    this.#memory.write({ ...known, crashCount: known.crashCount + 1 });
    this.console.write('[agent] the game broke down');
    this.#enter('crashed', 'the game process ended unexpectedly');
  }

  /** Running is what answers; later looks keep the number of players true. */
  async #watch(game: GameProcess, payload: GamePayload): Promise<void> {
    while (this.#game === game) {
      const probed = await this.#probe(payload).catch(() => undefined);
      if (probed && this.#game === game && this.#state === 'starting') this.#enter('running');
      const pauseMs = this.#state === 'starting' ? PROBE_PAUSE_MS : WATCH_PAUSE_MS;
      await sleep(pauseMs, undefined, { ref: false });
    }
  }

  async #probe(payload: GamePayload): Promise<Probed> {
    const target = { host: this.#options.host, port: portOf(payload) };
    const game = this.#game;
    const probed = await probeGame(gameOf(payload).protocol, target);
    if (this.#game === game) this.#probed = probed;
    return probed;
  }
}

function describe(payload: Payload): Readonly<Record<string, unknown>> {
  const { vmid, version } = payload;
  if (payload.container_type === 'dev') {
    return { vmid, container_type: 'dev', runtime: payload.runtime, version };
  }
  const { game, variant } = payload;
  const described = { vmid, container_type: 'game', game, variant, version };
  return { ...described, serverVersion: serverVersion(payload), port: portOf(payload) };
}

function gameOf({ game }: GamePayload) {
  const known = GAMES.get(game);
  if (!known) throw new Error(`${game} is not a known game`);
  return known;
}

function portOf(payload: GamePayload): number {
  return payload.ports[0] ?? gameOf(payload).port;
}

function serverVersion(payload: GamePayload): string {
  return payload.game === 'minecraft' ? nearestVersion(payload.version) : payload.version;
}
