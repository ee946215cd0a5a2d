import { createRequire } from 'node:module';

/**
 * The few functions we use of packages that bring no types, or wrong ones. They are loaded when
 * called: the agent must answer at once.
 */
const require = createRequire(import.meta.url);

interface FlyingSquid {
  createMCServer(options: Readonly<Record<string, unknown>>): {
    on(event: 'error', listener: (error: Error) => void): void;
    on(event: 'ready', listener: () => void): void;
    readonly players: readonly { readonly username: string }[];
    readonly commands: {
      add(command: {
        base: string;
        info: string;
        usage: string;
        op: boolean;
        action(): string;
      }): void;
    };
  };
}

export interface WebSocket {
  readonly readyState: number;
  readonly bufferedAmount: number;
  send(text: string, written?: () => void): void;
  close(code?: number): void;
  terminate(): void;
  on(event: 'message', listener: (data: Buffer) => void): void;
  on(event: 'close', listener: () => void): void;
  on(event: 'error', listener: (error: Error) => void): void;
}

interface WebSocketServer {
  handleUpgrade(
    request: import('node:http').IncomingMessage,
    socket: import('node:stream').Duplex,
    head: Buffer,
    done: (client: WebSocket) => void,
  ): void;
}

interface WebSocketPackage {
  readonly WebSocketServer: new (options: {
    noServer: true;
    maxPayload: number;
  }) => WebSocketServer;
}

export function loadFlyingSquid(): FlyingSquid {
  return require('flying-squid') as FlyingSquid;
}

export function createWebSocketServer(): WebSocketServer {
  const { WebSocketServer } = require('ws') as WebSocketPackage;
  return new WebSocketServer({ noServer: true, maxPayload: 64 * 1024 });
}
