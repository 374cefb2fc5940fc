import type { RequestOptions } from "node:http";
import { request } from "node:http";
import type { ProxyDeps } from "../../src/proxy/proxy.ts";
import { until } from "../controlplane/until.ts";
import { findProgram } from "../programs.ts";
import { filter, httpListener } from "./bootstrap-json.ts";
import { freePorts, startEnvoy, startWeft } from "./data-plane.ts";
import { dynamicBootstrap, rds } from "./dynamic-bootstrap.ts";
import { TestControlPlane } from "./test-control-plane.ts";

export type PlaneName = "weft" | "envoy";

/** The planes that this machine has. */
export const PLANES: readonly PlaneName[] =
  findProgram("envoy") === undefined ? ["weft"] : ["weft", "envoy"];

const ON_DEMAND = filter("http.on_demand.v3.OnDemand", {});
const ROUTER = filter("http.router.v3.Router", {});
const VHDS = { config_source: { ads: {}, resource_api_version: "V3" } };

/** A virtual host that answers with a text, its own name when nothing is said. */
export function answering(name: string, domains: readonly string[], text = name): object {
  const direct = { status: 200, body: { inline_string: text } };
  return { name, domains, routes: [{ match: { prefix: "/" }, direct_response: direct }] };
}

/** Virtual hosts of table `r` by their resources' names; each answers with its host's name. */
export function hostsOf(...hosts: readonly string[]): Record<string, object> {
  const names = ["first.invalid", ...hosts];
  return Object.fromEntries(names.map((host) => [`r/${host}`, answering(`r/${host}`, [host])]));
}

/** What was answered, and how the access log has it. */
export interface Answer {
  readonly status: number;
  readonly body: string;
}

/** One plane under a control plane of its own, whose table `r` has virtual hosts on demand. */
export class OnDemandPlane {
  readonly controlPlane: TestControlPlane;
  readonly adminPort: number;
  readonly port: number;
  readonly #stop: () => Promise<void>;

  private constructor(
    controlPlane: TestControlPlane,
    ports: readonly [number, number],
    stop: () => Promise<void>,
  ) {
    this.controlPlane = controlPlane;
    [this.adminPort, this.port] = ports;
    this.#stop = stop;
  }

  /**
   * `hosts` are there from the start; of them only `r/first.invalid` is sent unasked. Without any
   * the listener is not waited for.
   */
  static async start(
    plane: PlaneName,
    hosts: Record<string, object>,
    deps: Partial<ProxyDeps> = {},
  ): Promise<OnDemandPlane> {
    const controlPlane = new TestControlPlane();
    await controlPlane.start();
    const [adminPort = 0, port = 0] = await freePorts(2);
    controlPlane.pushedHosts.add("r/first.invalid");
    controlPlane.set("cluster", {});
    const options = { ...rds("r"), http_filters: [ON_DEMAND, ROUTER] };
    controlPlane.set("listener", { in: httpListener("in", port, options) });
    giveTable(controlPlane, [answering("own", ["own.com"])]);
    controlPlane.set("virtualHost", hosts);
    const bootstrap = dynamicBootstrap(controlPlane.port, adminPort, "DELTA_GRPC");
    const started =
      plane === "weft"
        ? await startWeft(bootstrap, deps)
        : await startEnvoy(findProgram("envoy") ?? "", bootstrap, adminPort);
    const made = new OnDemandPlane(controlPlane, [adminPort, port], async () => {
      await started.stop();
      controlPlane.stop();
    });
    if (Object.keys(hosts).length > 0) {
      await until(async () => made.get("own.com").catch(() => undefined), "the listener");
    }
    return made;
  }

  stop(): Promise<void> {
    return this.#stop();
  }

  /** The names that virtual hosts were asked for by, one list for each request that had some. */
  get asked(): readonly (readonly string[])[] {
    return this.controlPlane.deltaRequests
      .filter(({ typeUrl }) => typeUrl.endsWith(".VirtualHost"))
      .map(({ resourceNamesSubscribe }) => resourceNamesSubscribe)
      .filter((names) => names.length > 0);
  }

  get(host: string, options: RequestOptions = {}, body = ""): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const headers = { host, ...(body === "" ? {} : { "content-length": body.length }) };
      const place = { host: "127.0.0.1", port: this.port, agent: false };
      const sent = request({ ...place, path: "/", ...options, headers }, (response) => {
        let text = "";
        response.on("data", (chunk: Buffer) => {
          text += chunk.toString();
        });
        response.on("end", () => resolve({ status: response.statusCode ?? 0, body: text }));
        response.on("error", reject);
      });
      sent.on("error", reject);
      sent.end(body);
    });
  }

  async stat(name: string): Promise<number> {
    const answer = await fetch(`http://127.0.0.1:${this.adminPort}/stats?filter=${name}`);
    return Number(/: (\d+)/.exec(await answer.text())?.[1] ?? Number.NaN);
  }
}

/** Gives table `r` virtual hosts of its own, besides those on demand. */
export function giveTable(controlPlane: TestControlPlane, hosts: readonly object[]): void {
  controlPlane.set("route", { r: { name: "r", virtual_hosts: hosts, vhds: VHDS } });
}
