import { createStore, useSelector } from '@xstate/store-react';
import { useEffect, useMemo } from 'react';

import { ApiProblem } from '../api/client.ts';

interface ResourceContext<T> {
  /** The latest that was read; it stays when reading it again fails. */
  readonly value: T | null;
  readonly problem: ApiProblem | null;
  readonly readAt: number | null;
}

export interface Resource<T> extends ResourceContext<T> {
  /** Reads it again. What is asked for meanwhile is read once more after that. */
  reload(): void;
}

/** A bug of our own is no answer of the service, and must not look like one. */
export function toProblem(error: unknown): ApiProblem {
  if (error instanceof ApiProblem) return error;
  throw error;
}

function createResource<T>(read: (signal: AbortSignal) => Promise<T>) {
  const store = createStore({
    context: { value: null, problem: null, readAt: null } as ResourceContext<T>,
    on: {
      read: (_, { value }: { value: T }): ResourceContext<T> => ({
        ...{ value, problem: null, readAt: Date.now() },
      }),
      failed: (context, { problem }: { problem: ApiProblem }): ResourceContext<T> => ({
        ...context,
        problem,
      }),
    },
  });
  let ending = new AbortController();
  let isReading = false;
  let isWanted = false;

  async function readOnce(signal: AbortSignal): Promise<void> {
    try {
      const value = await read(signal);
      if (!signal.aborted) store.trigger.read({ value });
    } catch (error) {
      if (!signal.aborted) store.trigger.failed({ problem: toProblem(error) });
    }
  }

  async function reload(): Promise<void> {
    isWanted = true;
    if (isReading) return;
    isReading = true;
    try {
      while (isWanted && !ending.signal.aborted) {
        isWanted = false;
        await readOnce(ending.signal);
      }
    } finally {
      isReading = false;
    }
  }

  return {
    store,
    reload: () => void reload(),
    open(): () => void {
      ending = new AbortController();
      void reload();
      return () => ending.abort();
    },
  };
}

/** Something that the service knows, read when the page opens and whenever `key` changes. */
export function useResource<T>(
  key: string,
  read: (signal: AbortSignal) => Promise<T>,
): Resource<T> {
  // biome-ignore lint/correctness/useExhaustiveDependencies: `read` is another function each time; `key` says whether it reads something else
  const resource = useMemo(() => createResource(read), [key]);
  useEffect(() => resource.open(), [resource]);
  const context = useSelector(resource.store, (snapshot) => snapshot.context);
  return { ...context, reload: resource.reload };
}

/** Reads it again and again, as long as somebody can see it: what nobody tells of when it changes. */
export function useRepeated(reload: () => void, everyMs: number): void {
  useEffect(() => {
    const timer = setInterval(() => document.hidden || reload(), everyMs);
    return () => clearInterval(timer);
  }, [reload, everyMs]);
}
