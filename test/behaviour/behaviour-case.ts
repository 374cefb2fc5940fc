/** Where a request comes from: a meshed pod, through its `http_proxy`, or outside, at the gateway. */
export type Origin = "client" | "gateway";

/** One request, or many of the same, and what must come back. */
export interface Exchange {
  /** `client` unless said otherwise. */
  readonly from?: Origin;
  /** `GET http://reviews:9080/reviews/0`; at the gateway the host is only the `Host` header. */
  readonly request: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly expect: Expectation;
}

/** What must come back: one answer, or shares of many. */
export type Expectation =
  | {
      readonly status: number;
      /** Which workload answered, `reviews-v2`; absent: not looked at. */
      readonly by?: string;
      /** Headers that the workload must have got; `null`: must not. */
      readonly sawHeaders?: Readonly<Record<string, string | null>>;
      /** The path that the workload must have got. */
      readonly sawPath?: string;
      /** Headers of the answer; `null`: must not be there. */
      readonly gotHeaders?: Readonly<Record<string, string | null>>;
      /** How long the answer may take, at least and at most. */
      readonly takesMs?: readonly [number, number];
      /** How often the workloads were asked for the path, in all. */
      readonly tries?: number;
    }
  | {
      /** Workload to its part of all requests; nobody else may answer, and all must be 200. */
      readonly shares: Readonly<Record<string, number>>;
      readonly requests: number;
    };

/** Objects on top of the mesh of `base-mesh.ts`, and what they make of requests. */
export interface BehaviourCase {
  readonly name: string;
  /** YAML documents. */
  readonly config?: string;
  /** Files under `samples/bookinfo/networking`, without `.yaml`. */
  readonly samples?: readonly string[];
  /** Workloads whose endpoints are not ready. */
  readonly unready?: readonly string[];
  readonly exchanges: readonly Exchange[];
}

/**
 * How far a count may be from its expectation: five standard deviations of the binomial
 * distribution, which chance exceeds once in 1.7 million tries. None where all or nothing is due.
 */
export function countTolerance(requests: number, share: number): number {
  return 5 * Math.sqrt(requests * share * (1 - share));
}
