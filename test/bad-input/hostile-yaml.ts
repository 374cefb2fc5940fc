import { istio } from "../model/world.ts";

/** Objects that the schema may well accept, and that somebody will write. */
export interface HostileObjects {
  readonly name: string;
  readonly yaml: string;
}

/** A list in YAML, without its brackets. */
export const many = (count: number, one: (at: number) => string): string =>
  Array.from({ length: count }, (_, at) => one(at)).join(", ");

/** A VirtualService of `default`. */
export const vs = (spec: string, name = "hostile"): string => istio("VirtualService", name, spec);
/** A VirtualService of http rules, for the host `a` unless it says others. */
export const http = (rules: string, hosts = "a"): string =>
  vs(`{ hosts: [${hosts}], http: [${rules}] }`);
/** A rule that leads to `a`, and more. */
export const rule = (more: string): string =>
  http(`{ route: [{ destination: { host: a } }], ${more} }`);
/** A rule with one match. */
export const match = (one: string): string => rule(`match: [{ ${one} }]`);
/** A DestinationRule for `a`. */
export const dr = (spec: string, name = "hostile"): string =>
  istio("DestinationRule", name, `{ host: a, ${spec} }`);
/** A DestinationRule of one policy for all of `a`. */
export const policy = (more: string): string => dr(`trafficPolicy: { ${more} }`);
/** A Gateway for the world's one. */
export const gw = (servers: string, name = "hostile.istio-system"): string =>
  istio("Gateway", name, `{ selector: { app: b }, servers: [${servers}] }`);
/** A server of a Gateway. */
export const server = (hosts: string, number = 80, protocol = "HTTP", more = ""): string =>
  `{ port: { number: ${number}, name: p${number}, protocol: ${protocol} }, hosts: [${hosts}]${more} }`;
/** A ServiceEntry. */
export const se = (spec: string, name = "hostile"): string =>
  istio("ServiceEntry", name, `{ location: MESH_EXTERNAL, ${spec} }`);
/** A ServiceEntry of one port whose endpoints are looked up. */
export const entry = (
  hosts: string,
  more = "",
  ports = "{ number: 80, name: http, protocol: HTTP }",
) => se(`hosts: [${hosts}], ports: [${ports}], resolution: DNS${more}`);
/** A Sidecar. */
export const sc = (spec: string, name = "hostile"): string => istio("Sidecar", name, spec);
/** Several objects. */
export const all = (...yaml: readonly string[]): string => yaml.join("\n---\n");
