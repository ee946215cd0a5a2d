import { connect, type Socket } from 'node:net';

const QUESTIONS = ['/health', '/ready', '/status'].map(
  (path) => `GET ${path} HTTP/1.1\r\nHost: agent\r\n\r\n`,
);

/** The same questions to the same agents by bare sockets: nothing is read, checked or compared. */
export function createFloor(port: number, ips: readonly string[]) {
  const sockets = new Map<string, Socket>();

  async function open(ip: string): Promise<Socket> {
    const known = sockets.get(ip);
    if (known) return known;
    const socket = connect({ port, host: ip, noDelay: true });
    sockets.set(ip, socket);
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', reject);
    });
    return socket;
  }

  async function ask(ip: string): Promise<void> {
    const socket = await open(ip);
    for (const question of QUESTIONS) {
      await new Promise<void>((resolve) => {
        socket.once('data', () => resolve());
        socket.write(question);
      });
    }
  }

  return {
    async sweep(concurrency: number): Promise<void> {
      const left = ips.values();
      const work = async () => {
        for (const ip of left) await ask(ip);
      };
      await Promise.all(Array.from({ length: concurrency }, work));
    },
    [Symbol.dispose]() {
      for (const socket of sockets.values()) socket.destroy();
    },
  };
}
