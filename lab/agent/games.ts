export interface Game {
  readonly protocol: 'minecraft' | 'tcp' | 'udp';
  readonly port: number;
}

/** The games we rent out, with the port on which each listens. */
export const GAMES: ReadonlyMap<string, Game> = new Map([
  ['minecraft', { protocol: 'minecraft', port: 25_565 }],
  ['rust', { protocol: 'udp', port: 28_015 }],
  ['terraria', { protocol: 'tcp', port: 7_777 }],
  ['projectzomboid', { protocol: 'udp', port: 16_261 }],
  ['valheim', { protocol: 'udp', port: 2_456 }],
  ['palworld', { protocol: 'udp', port: 8_211 }],
]);
