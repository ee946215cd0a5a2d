import type { Cluster, Origin } from './cluster.ts';
import type { Parameters, ParameterTable } from './parameters.ts';

export type Method = 'GET' | 'POST' | 'PUT' | 'DELETE';

/** One call that passed the checks. */
export interface Call {
  readonly cluster: Cluster;
  readonly parameters: Parameters;
  /** Empty where the path names no node. */
  readonly origin: Origin;
  /** Members of the answer beside `data`, such as the total of a list. */
  readonly attributes: { total?: number };
}

export interface Endpoint {
  readonly method: Method;
  /** `{name}` is a parameter. */
  readonly path: string;
  readonly parameters: ParameterTable;
  handle(call: Call): unknown;
}
