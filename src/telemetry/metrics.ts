import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

import { withinTime } from './within-time.ts';

export interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** A number that nobody counts along: it is looked up when somebody asks. */
export interface Source {
  readonly name: string;
  readonly help: string;
  readonly labels: readonly string[];
  readonly read: () => Promise<readonly Sample[]> | readonly Sample[];
}

export interface ObservedCommit {
  readonly steps: number;
  /** Steps that somebody else was faster than. */
  readonly conflicts: number;
  readonly ms: number;
}

export interface ObservedRequest {
  readonly method: string;
  /** The pattern of the route, which are few, and never the path, which are many. */
  readonly route: string;
  readonly status: number;
  readonly ms: number;
}

/** What this process measures of itself, in the format of Prometheus. */
export interface Metrics {
  readonly contentType: string;
  render(): Promise<string>;
  observeStep(event: string): void;
  observeCommit(commit: ObservedCommit): void;
  observeRequest(request: ObservedRequest): void;
  observePoll(latencyMs: number, outcome: string): void;
  /** Sources that fail or take too long are missing from an answer, and counted. */
  addSource(source: Source): void;
}

const SOURCE_TIMEOUT_MS = 2_000;

const SECONDS = {
  fast: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5],
  request: [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60],
  poll: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5],
} as const;

export function createMetrics(): Metrics {
  const register = new Registry();
  const registers = [register];
  collectDefaultMetrics({ register });
  const steps = new Counter({
    name: 'zpack_steps_total',
    help: 'Steps that this process has committed, by the event that caused them',
    labelNames: ['event'],
    registers,
  });
  const batches = new Histogram({
    name: 'zpack_commit_steps',
    help: 'Steps in one transaction',
    buckets: [1, 2, 5, 10, 25, 50, 100, 250, 500],
    registers,
  });
  const commits = new Histogram({
    name: 'zpack_commit_seconds',
    help: 'Duration of one transaction of steps',
    buckets: [...SECONDS.fast],
    registers,
  });
  const conflicts = new Counter({
    name: 'zpack_commit_conflicts_total',
    help: 'Steps that were void because another node, or the same event, was first',
    registers,
  });
  const requests = new Histogram({
    name: 'zpack_http_request_seconds',
    help: 'Duration of HTTP requests until the answer was sent',
    labelNames: ['method', 'route', 'status'],
    buckets: [...SECONDS.request],
    registers,
  });
  const polls = new Histogram({
    name: 'zpack_poll_seconds',
    help: 'Duration of one poll of one agent, with all its questions',
    labelNames: ['outcome'],
    buckets: [...SECONDS.poll],
    registers,
  });
  return {
    contentType: register.contentType,
    render: () => register.metrics(),
    observeStep: (event) => steps.inc({ event }),
    observeCommit(commit) {
      batches.observe(commit.steps);
      commits.observe(commit.ms / 1000);
      if (commit.conflicts > 0) conflicts.inc(commit.conflicts);
    },
    observeRequest: ({ ms, ...labels }) => requests.observe(labels, ms / 1000),
    observePoll: (latencyMs, outcome) => polls.observe({ outcome }, latencyMs / 1000),
    addSource: createSources(register),
  };
}

function createSources(register: Registry) {
  const failures = new Counter({
    name: 'zpack_source_failures_total',
    help: 'Times that a metric could not be looked up, and so is missing',
    labelNames: ['source'],
    registers: [register],
  });
  return ({ name, help, labels, read }: Source): void => {
    const gauge = new Gauge({
      name,
      help,
      labelNames: [...labels],
      registers: [register],
      async collect() {
        gauge.reset();
        try {
          const samples = await withinTime(SOURCE_TIMEOUT_MS, Promise.resolve().then(read));
          for (const sample of samples) gauge.set(sample.labels, sample.value);
        } catch {
          // Whoever looks at metrics because Redis is away must see the others. A gauge without
          // labels is 0 after a reset, which would not be true.
          if (labels.length === 0) gauge.remove();
          failures.inc({ source: name });
        }
      },
    });
  };
}
