import { flushCompileCache } from 'node:module';

/**
 * Loaded before anything else into every node of a crash test. The other end of its standard input
 * is held by the test alone, so the kernel itself tells the end of the test, however it ended.
 * Whatever is written there bids it keep what it has compiled: it will not end in a way that would.
 */
function die(): void {
  process.kill(process.pid, 'SIGKILL');
}

process.stdin
  .on('end', die)
  .on('error', die)
  .on('data', () => flushCompileCache());
// A pipe is a socket here, which its declared type does not say. It keeps no process alive.
(process.stdin as unknown as { unref?(): void }).unref?.();
