/**
 * Loaded before anything else into every node of a crash test. The other end of its standard input
 * is held by the test alone, so the kernel itself tells the end of the test, however it ended.
 */
function die(): void {
  process.kill(process.pid, 'SIGKILL');
}

process.stdin.on('end', die).on('error', die).resume();
// A pipe is a socket here, which its declared type does not say. It keeps no process alive.
(process.stdin as unknown as { unref?(): void }).unref?.();
