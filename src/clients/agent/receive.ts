import type { Dispatcher } from 'undici';

export interface Limits {
  readonly timeoutMs: number;
  readonly bytesMax: number;
  /** What to throw when there are more. */
  readonly tooLarge: () => Error;
  readonly signal?: AbortSignal | undefined;
}

/**
 * One request and its whole answer, within its limits. A fleet is polled thousands of times each
 * second: a timer that is cleared and a handler cost a third of abort signals and body streams.
 */
export function receive(
  dispatcher: Dispatcher,
  options: Dispatcher.DispatchOptions,
  { timeoutMs, bytesMax, tooLarge, signal }: Limits,
): Promise<{ readonly status: number; readonly text: string }> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let [status, bytes] = [0, 0];
    let request: Dispatcher.DispatchController | undefined;
    let ended: Error | undefined;

    const end = (error: Error): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', giveUp);
      ended ??= error;
      // Not begun yet, it is aborted as soon as it begins.
      request?.abort(ended);
      reject(ended);
    };
    const giveUp = () => end(signal?.reason);
    const timer = setTimeout(
      () => end(new DOMException('The operation timed out', 'TimeoutError')),
      timeoutMs,
    );
    signal?.addEventListener('abort', giveUp, { once: true });

    dispatcher.dispatch(options, {
      onRequestStart(controller) {
        request = controller;
        if (ended) controller.abort(ended);
      },
      onResponseStart(_, code) {
        status = code;
      },
      onResponseData(_, chunk) {
        bytes += chunk.length;
        if (bytes > bytesMax) end(tooLarge());
        else chunks.push(chunk);
      },
      onResponseEnd() {
        clearTimeout(timer);
        signal?.removeEventListener('abort', giveUp);
        const text = Buffer.concat(chunks).toString('utf8');
        // The connection is free one turn of the event loop later. Whoever asks before that
        // opens a second one, and a fleet of agents twice as many as it needs.
        queueMicrotask(() => setImmediate(resolve, { status, text }));
      },
      onResponseError: (_, error) => end(error),
    });
  });
}
