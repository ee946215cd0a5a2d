/** What an agent is told about its container. Pure: the same order gives the same payload. */
import { InvalidInputError } from '../../errors.ts';

export interface GameOrder {
  readonly ctype: 'game';
  readonly vmid: number;
  readonly game: string;
  readonly variant: string;
  readonly version: string;
  readonly world?: string | undefined;
  readonly ports?: readonly number[] | undefined;
  readonly memoryMiB: number;
  readonly adminUser?: string | undefined;
  readonly adminPass?: string | undefined;
}

export interface DevOrder {
  readonly ctype: 'dev';
  readonly vmid: number;
  readonly runtime: string;
  readonly version: string;
  readonly memoryMiB: number;
}

interface GamePayload {
  readonly vmid: number;
  readonly container_type: 'game';
  readonly game: string;
  readonly variant: string;
  readonly version: string;
  readonly world: string;
  readonly ports: readonly number[];
  /** Below the artifact server's root. */
  readonly artifact_path: string;
  /** Below the artifact server's root; only of games that run on Java. */
  readonly java_path?: string;
  readonly memory_mb: number;
  readonly admin_user?: string;
  readonly admin_pass?: string;
}

interface DevPayload {
  readonly vmid: number;
  readonly container_type: 'dev';
  readonly runtime: string;
  readonly version: string;
  readonly memory_mb: number;
}

export type AgentPayload = GamePayload | DevPayload;

const MINECRAFT_FILES: Readonly<Record<string, string>> = {
  forge: 'forge-installer.jar',
  neoforge: 'neoforge-installer.jar',
  fabric: 'fabric-server.jar',
};

/** @throws InvalidInputError if a name could lead out of its folder on the artifact server. */
export function buildAgentPayload(order: GameOrder | DevOrder): AgentPayload {
  if (order.ctype === 'dev') {
    const { vmid, runtime, version, memoryMiB } = order;
    return { vmid, container_type: 'dev', runtime, version, memory_mb: memoryMiB };
  }
  const { vmid, game, variant, version, memoryMiB, adminUser, adminPass } = order;
  const isMinecraft = game === 'minecraft';
  return {
    vmid,
    container_type: 'game',
    game,
    variant,
    version,
    world: order.world || 'world',
    ports: order.ports ?? [],
    artifact_path: artifactPath(game, variant, version),
    ...(isMinecraft ? { java_path: javaPath(version) } : {}),
    memory_mb: memoryMiB,
    ...(adminUser ? { admin_user: adminUser } : {}),
    ...(adminPass ? { admin_pass: adminPass } : {}),
  };
}

/**
 * Where the server's program lies: `<game>/<variant>/<version>/<file>`. Minecraft has one file
 * name per kind of installer; every other game is one `server.tar.gz`, a layout of our choice.
 */
function artifactPath(game: string, variant: string, version: string): string {
  for (const segment of [game, variant, version])
    if (!/^[\w+-][\w.+-]*$/.test(segment))
      throw new InvalidInputError(`"${segment}" cannot be part of an artifact's path`);
  const file = game === 'minecraft' ? (MINECRAFT_FILES[variant] ?? 'server.jar') : 'server.tar.gz';
  return `${game}/${variant}/${version}/${file}`;
}

/** Java 21 from Minecraft 1.21 on, which includes the versions named by year (26.1), else 17. */
function javaPath(version: string): string {
  const [, major, minor] = /^(\d+)\.(\d+)/.exec(version) ?? [];
  const isOld = major === '1' && Number(minor) < 21;
  return isOld ? 'java/17/OpenJDK17.tar.gz' : 'java/21/OpenJDK21.tar.gz';
}
