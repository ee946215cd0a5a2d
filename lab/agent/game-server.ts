import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';
import { createInterface } from 'node:readline';
import { z } from 'zod';

/** A small game: it really listens, answers every line it is sent, and obeys its console. */
const environment = z.object({
  GAME_NAME: z.string(),
  GAME_PROTOCOL: z.enum(['tcp', 'udp']),
  GAME_HOST: z.string(),
  GAME_PORT: z.coerce.number().int(),
});
const env = environment.parse(process.env);

const answer = (line: string) => `${env.GAME_NAME} ${line.trim()}\n`;

if (env.GAME_PROTOCOL === 'tcp') {
  const server = createServer((socket) => {
    socket.on('error', () => socket.destroy());
    createInterface({ input: socket }).on('line', (line) => socket.write(answer(line)));
  });
  server.listen(env.GAME_PORT, env.GAME_HOST, announce);
} else {
  const socket = createSocket('udp4');
  socket.on('message', (message, peer) => {
    socket.send(answer(message.toString('utf8')), peer.port, peer.address);
  });
  socket.bind(env.GAME_PORT, env.GAME_HOST, announce);
}

const input = createInterface({ input: process.stdin });
input.on('line', (line) => {
  console.log(`${env.GAME_NAME} heard: ${line}`);
  if (line === 'stop') process.exit(0);
  if (line === 'crash') process.exit(1);
});
// The console goes with the agent, and nothing of the container outlives it.
input.on('close', () => process.exit(0));
process.on('SIGTERM', () => {
  console.log('saving the world');
  process.exit(0);
});

function announce(): void {
  console.log(`${env.GAME_NAME} listens on ${env.GAME_PROTOCOL} ${env.GAME_PORT}`);
}
