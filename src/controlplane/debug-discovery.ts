import { hostname } from "node:os";
import type { Any } from "@bufbuild/protobuf/wkt";
import type { DebugRequest, DebugSource } from "../ads/debug-call.ts";
import { parseHostPort } from "../base/ip.ts";
import type { Result } from "../base/issue.ts";
import { VERSION } from "../base/version.ts";
import { any, clientConfigMessage, configDumpMessages } from "./debug-messages.ts";
import { type DebugTarget, findProxy, knownProxies } from "./debug-pages.ts";
import { isLoopback } from "./debug-server.ts";
import type { Pages } from "./page.ts";
import { BusyError, type PageRenderer } from "./page-renderer.ts";

/** Istio's types: the state of all proxies, one proxy's configuration, any page. */
const PAGE = "istio.io/debug";
const SYNCZ = `${PAGE}/syncz`;
const CONFIG_DUMP = `${PAGE}/config_dump`;

/** Largest page in one message: istioctl takes any, but it stands in memory as a whole. */
const PAGE_BYTES_MAX = 64 * 1024 * 1024;

/** Answers istioctl over discovery, by what the pages show over HTTP. */
export class DebugDiscovery implements DebugSource {
  /** istiod's `IstioControlPlaneInstance`. */
  readonly controlPlane = JSON.stringify({
    Component: "weft",
    ID: hostname(),
    Info: { version: VERSION, revision: "", golang_version: "", status: "", tag: VERSION },
  });
  readonly #target: DebugTarget;
  readonly #pages: Pages;
  readonly #renderer: PageRenderer;

  constructor(target: DebugTarget, pages: Pages, renderer: PageRenderer) {
    this.#target = target;
    this.#pages = pages;
    this.#renderer = renderer;
  }

  async answer({ typeUrl, resourceNames, peer }: DebugRequest): Promise<Result<readonly Any[]>> {
    if (!isLocalPeer(peer)) {
      return refusal("only for this machine: ask from here, or through kubectl port-forward");
    }
    if (typeUrl === SYNCZ) {
      return { ok: true, value: knownProxies(this.#target).map(clientConfigMessage) };
    }
    const [name, ...others] = resourceNames;
    if (name === undefined || others.length > 0) {
      return refusal(`${typeUrl} takes one name, not ${resourceNames.length}`);
    }
    if (typeUrl === CONFIG_DUMP) {
      const found = findProxy(this.#target, name);
      // As istiod: another control plane may have it.
      return { ok: true, value: found === undefined ? [] : configDumpMessages(found) };
    }
    if (typeUrl === PAGE) return this.#page(name);
    return refusal(`there is ${SYNCZ}, ${CONFIG_DUMP}, and ${PAGE} with a page as its name`);
  }

  /** A page by its name with its query: `edsz?proxyID=reviews-v1.default`. */
  async #page(name: string): Promise<Result<readonly Any[]>> {
    const [path = "", query = ""] = name.split("?", 2);
    const entry = Object.hasOwn(this.#pages, `/debug/${path}`)
      ? this.#pages[`/debug/${path}`]
      : undefined;
    // Go's own words, by which istioctl knows to list what there is.
    if (entry === undefined) return page(Buffer.from("404 page not found\n"));
    const { body } = entry.get(new URLSearchParams(query));
    if (typeof body === "string") return page(Buffer.from(body));
    const chunks: Buffer[] = [];
    let length = 0;
    try {
      await this.#renderer.render(body, async (text) => {
        const chunk = Buffer.from(text);
        length += chunk.length;
        if (length > PAGE_BYTES_MAX) throw new TooLargeError();
        chunks.push(chunk);
      });
    } catch (error) {
      if (error instanceof BusyError) return refusal(error.message);
      if (!(error instanceof TooLargeError)) throw error;
      return refusal(`${name} has more than ${PAGE_BYTES_MAX} bytes: ask for it over HTTP`);
    }
    return page(Buffer.concat(chunks));
  }
}

class TooLargeError extends Error {}

function page(bytes: Uint8Array): Result<readonly Any[]> {
  return { ok: true, value: [any(PAGE, bytes)] };
}

function refusal(message: string): Result<never> {
  return { ok: false, issues: [{ path: "", message }] };
}

/** `address:port`, of an IPv6 address without brackets. */
function isLocalPeer(peer: string): boolean {
  return isLoopback(parseHostPort(peer)?.host) || isLoopback(peer.slice(0, peer.lastIndexOf(":")));
}
