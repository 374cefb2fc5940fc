import type { ClusterAction, ClusterChoice } from "../../match/route.ts";
import type { HeaderList } from "../http/header-list.ts";
import type { HttpConfig } from "../http/http-config.ts";
import type { FilterStream } from "../http/http-filter.ts";
import type { LocalReply } from "../http/local-reply.ts";
import type { ResponseHead } from "../http/message-head.ts";
import type { StreamTimes } from "../http/stream-times.ts";
import type { StreamTrace } from "../tracing/stream-trace.ts";
import type { AttemptLog } from "./attempt-log.ts";

/** What the router needs of the stream that it ends. */
export interface RoutedStream extends FilterStream {
  readonly times: StreamTimes;
  readonly config: HttpConfig;
  /** What its client speaks. */
  readonly protocol: string;
  /** `undefined` where nothing is traced. */
  readonly trace: StreamTrace | undefined;
  /** `undefined` where nothing is logged of attempts. */
  readonly attemptLog: AttemptLog | undefined;
  /** What logs say of the response's origin. */
  details: string;
  /** Behind the last chunk of the request, once that has come. */
  readonly requestTrailers: HeaderList | undefined;
  /** Where a cluster route sends this request; `undefined` for other routes. */
  readonly choice: ClusterChoice | undefined;
  /** The head may be changed; it and the body follow in the order of `ResponseSink`. */
  onUpstreamHead(head: ResponseHead, hasBody: boolean): void;
  /** Something before the final response. */
  onUpstreamInterim(head: ResponseHead): void;
  onUpstreamBytes(buffer: Buffer, from: number, to: number): void;
  onUpstreamEnd(trailers: HeaderList | undefined): void;
  onUpstreamReadEnd(): void;
  /** The response broke off after its head was passed on; `reply` where a filter still holds that. */
  onUpstreamBroken(reply: LocalReply): void;
  /** Puts the request on the way that a redirect of the upstream names; false where it may not. */
  redirectInternally(action: ClusterAction, head: ResponseHead): boolean;
}
