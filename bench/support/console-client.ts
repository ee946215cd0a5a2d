import { WebSocket } from 'ws';

/** Many viewers in one process, who count the lines that they see. */

export interface ConsoleClientOptions {
  readonly port: number;
  readonly viewers: number;
  readonly lines: number;
}

const AT_ONCE = 100;

async function main({ port, viewers, lines }: ConsoleClientOptions): Promise<void> {
  let unfinished = viewers;
  let frames = 0;

  const open = () =>
    new Promise<void>((resolve, reject) => {
      const socket = new WebSocket(`ws://127.0.0.1:${port}`, { perMessageDeflate: false });
      let next = 0;
      socket.on('error', reject);
      socket.on('message', (data) => {
        const text = String(data);
        if (text.includes('"hello"')) return resolve();
        frames += 1;
        const frame = JSON.parse(text) as { readonly offset: number; readonly lines: string[] };
        if (frame.offset !== next) throw new Error(`${frame.offset} instead of ${next}`);
        next += frame.lines.length;
        if (next < lines) return;
        unfinished -= 1;
        if (unfinished === 0) process.send?.(frames, undefined, {}, () => process.exit(0));
      });
    });

  for (let from = 0; from < viewers; from += AT_ONCE) {
    await Promise.all(Array.from({ length: Math.min(AT_ONCE, viewers - from) }, open));
  }
  process.send?.('ready');
}

await main(JSON.parse(process.argv[2] ?? '{}') as ConsoleClientOptions);
