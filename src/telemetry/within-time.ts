/** @throws Error if it has not ended in time; it goes on without anybody waiting */
export async function withinTime<T>(timeoutMs: number, reading: Promise<T>): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const late = new Error(`not read within ${timeoutMs} ms`);
  const timer = setTimeout(() => reject(late), timeoutMs);
  try {
    return await Promise.race([reading, promise]);
  } finally {
    clearTimeout(timer);
  }
}
