import {
  FILTER,
  type FilterStatus,
  type FilterStream,
  type HttpFilter,
} from "../http/http-filter.ts";
import type { LocalReply } from "../http/local-reply.ts";
import type { CancelWait } from "../on-demand-hosts.ts";

const OVERFLOW: LocalReply = {
  status: 503,
  body: "",
  flag: "UO",
  details: "on_demand_overflow",
};
const LATE: LocalReply = { status: 503, body: "", flag: "NR", details: "on_demand_timeout" };

/**
 * Asks the control plane for the virtual host of a request that no route is for, and holds the
 * request until it is answered. Then it begins anew among the filters, whether there is a route
 * now or not; a second time it is not asked for.
 */
export class OnDemandFilter implements HttpFilter {
  readonly #stream: FilterStream;
  #cancel: CancelWait | undefined = undefined;

  constructor(stream: FilterStream) {
    this.#stream = stream;
  }

  onRequestHead(): FilterStatus {
    const { route, onDemand, isRestarted, head } = this.#stream;
    if (route !== undefined || onDemand === undefined || isRestarted) return FILTER.continue;
    const asked = onDemand.ask(head.authority, (answer) => {
      this.#cancel = undefined;
      if (answer === "late") this.#stream.localReply(LATE);
      else this.#stream.restart();
    });
    if (asked === "answered") return FILTER.continue;
    if (asked === "overflow") this.#stream.localReply(OVERFLOW);
    else this.#cancel = asked;
    return FILTER.stop;
  }

  onStreamEnd(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }
}
