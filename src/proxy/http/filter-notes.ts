import type { FilterStateObject } from "../../match/filter-state.ts";
import type { StringPredicate } from "../../match/string-match.ts";
import type { EncodingChoice, OfferedEncoding } from "../http-filter/accept-encoding.ts";
import type { DynamicMetadata } from "./http-filter.ts";

/** The host that a request shall go to, instead of the one that the balancer would choose. */
export interface OverrideHost {
  /** `address:port`. */
  readonly key: string;
  /** No other host will do. */
  readonly isStrict: boolean;
  /** Of the answer where no other will do and it is not there. */
  readonly missingStatus: number;
}

/** The compressors of a chain, and which of them the client has it from once that is known. */
export interface CompressionNotes {
  readonly offered: (OfferedEncoding & { readonly allowsType: StringPredicate })[];
  choice: EncodingChoice | undefined;
}

interface Entry {
  readonly object: FilterStateObject;
  readonly isReadOnly: boolean;
}

/** What filters note of a request for those that come after them, the router and the logs. */
export class FilterNotes {
  /** The request asks how this proxy is, and counts with no others. */
  isHealthCheck = false;
  overrideHost: OverrideHost | undefined = undefined;
  /** The first header whose value cannot stand in one: the request is not sent then; "" for none. */
  refusedHeader = "";
  /** What compressors of the chain may do with the response; absent where there are none. */
  compression: CompressionNotes | undefined = undefined;
  #state: Map<string, Entry> | undefined = undefined;
  #metadata: Map<string, DynamicMetadata> | undefined = undefined;

  reset(): void {
    this.isHealthCheck = false;
    this.overrideHost = undefined;
    this.refusedHeader = "";
    this.compression = undefined;
    this.#state = undefined;
    this.#metadata = undefined;
  }

  /** What is noted under a namespace comes together, key by key. */
  addMetadata(namespace: string, values: DynamicMetadata): void {
    (this.#metadata ??= new Map()).set(namespace, { ...this.metadataOf(namespace), ...values });
  }

  metadataOf(namespace: string): DynamicMetadata | undefined {
    return this.#metadata?.get(namespace);
  }

  /** An object of the filter state; `undefined` when there is none. */
  stateOf(key: string): FilterStateObject | undefined {
    return this.#state?.get(key)?.object;
  }

  /** Puts an object into the filter state. One that is for reading only stays as it is. */
  setState(key: string, object: FilterStateObject, isReadOnly = false): void {
    this.#state ??= new Map();
    if (this.#state.get(key)?.isReadOnly === true) return;
    this.#state.set(key, { object, isReadOnly });
  }
}
