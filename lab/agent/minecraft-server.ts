import { z } from 'zod';

import { loadFlyingSquid } from './packages.ts';

const environment = z.object({
  GAME_HOST: z.string(),
  GAME_PORT: z.coerce.number().int(),
  GAME_VERSION: z.string(),
  GAME_WORLD: z.string(),
});
const PLAYERS_MAX = 10;
const env = environment.parse(process.env);

// flying-squid reads its commands from standard input by itself.
const server = loadFlyingSquid().createMCServer({
  motd: 'ZPack lab server',
  host: env.GAME_HOST,
  port: env.GAME_PORT,
  version: env.GAME_VERSION,
  worldFolder: env.GAME_WORLD,
  generation: { name: 'superflat', options: {} },
  'max-players': PLAYERS_MAX,
  'online-mode': false,
  'everybody-op': false,
  'view-distance': 4,
  'max-entities': 100,
  'player-list-text': { header: { text: '' }, footer: { text: '' } },
  logging: true,
  gameMode: 1,
  difficulty: 1,
  kickTimeout: 10_000,
  plugins: {},
  modpe: false,
});
server.on('error', (error) => {
  console.error(error.stack);
  process.exit(1);
});
server.on('ready', () => {
  // Every console of a real server knows this one, and this server does not.
  server.commands.add({
    base: 'list',
    info: 'to list the players',
    usage: '/list',
    op: false,
    action: listPlayers,
  });
  console.log('Done! The world is ready.');
});
// The console goes with the agent, and nothing of the container outlives it.
process.stdin.on('end', () => process.exit(0));

function listPlayers(): string {
  const names = server.players.map((player) => player.username);
  const count = `There are ${names.length} of a max of ${PLAYERS_MAX} players online`;
  return `${count}: ${names.join(', ')}`;
}
