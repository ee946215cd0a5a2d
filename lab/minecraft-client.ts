import minecraft, { type NewPingResult } from 'minecraft-protocol';

export interface Pong {
  readonly version: { readonly name: string; readonly protocol: number };
  readonly players: { readonly online: number; readonly max: number };
}

/** Asks a Minecraft server as a player's client does, with somebody else's implementation. */
export async function pingMinecraft(host: string, port: number): Promise<Pong> {
  const answer = await minecraft.ping({ host, port, closeTimeout: 5_000 });
  if (!isModern(answer)) throw new Error(`${host}:${port} answered as servers did before 1.7`);
  const { online, max } = answer.players;
  return { version: answer.version, players: { online, max } };
}

const isModern = (answer: object): answer is NewPingResult => 'players' in answer;
