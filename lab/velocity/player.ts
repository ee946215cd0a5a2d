import { type EventEmitter, once } from 'node:events';
import { connect } from 'node:net';
import minecraft, { type Client } from 'minecraft-protocol';

interface Door {
  readonly host: string;
  readonly port: number;
  /** What the player has typed, which need not resolve. */
  readonly hostname: string;
}

/** A player who has been let in. Disposing leaves the game. */
export interface Player extends AsyncDisposable {
  /** Settles when the connection has ended, whoever ended it. */
  readonly gone: Promise<void>;
  /** What the server says in the chat, as text of its protocol. */
  chat(): readonly string[];
  say(text: string): void;
}

const CONNECT_TIMEOUT_MS = 10_000;

/** Logs in with somebody else's implementation of the client; throws what the server says to it. */
export async function joinMinecraft(
  door: Door & { readonly version: string; readonly username: string },
): Promise<Player> {
  const { hostname: host, port, version, username } = door;
  const client = minecraft.createClient({
    ...{ host, port, version, username },
    auth: 'offline',
    hideErrors: true,
    connect: through(door),
  });
  const lines: string[] = [];
  // What goes wrong ends the connection too, and that is what is waited for.
  client.on('error', () => undefined);
  const events: EventEmitter = client;
  for (const event of ['systemChat', 'playerChat']) {
    events.on(event, (chat: unknown) => lines.push(JSON.stringify(chat)));
  }
  const gone = new Promise<void>((resolve) => client.once('end', () => resolve()));
  await letIn(client);
  return {
    gone,
    chat: () => lines,
    say: (text) => client.chat(text),
    async [Symbol.asyncDispose]() {
      client.end();
      await gone;
    },
  };
}

/** What the player's list of servers shows for a hostname. */
export async function pingMinecraftAt(door: Door) {
  // The types leave `connect` out; without it the hostname would have to resolve.
  const options = { host: door.hostname, port: door.port, closeTimeout: CONNECT_TIMEOUT_MS };
  const answer = await minecraft.ping(Object.assign(options, { connect: through(door) }));
  if (!('players' in answer)) throw new Error(`${door.hostname} answered as before 1.7`);
  return answer;
}

function through({ host, port }: Door): (client: Client) => void {
  return (client) => client.setSocket(connect(port, host));
}

async function letIn(client: Client): Promise<void> {
  const left = new AbortController();
  const signal = AbortSignal.any([left.signal, AbortSignal.timeout(CONNECT_TIMEOUT_MS)]);
  for (const event of ['disconnect', 'kick_disconnect'] as const) {
    client.once(event, ({ reason }: { reason: string }) => left.abort(new Error(reason)));
  }
  client.once('end', () => left.abort(new Error('the connection has ended')));
  try {
    await once(client, 'login', { signal });
  } catch (error) {
    client.end();
    throw signal.aborted ? signal.reason : error;
  }
}
