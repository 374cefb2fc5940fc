import type { MessageInitShape } from "@bufbuild/protobuf";
import type { RouteAction_HashPolicySchema } from "../api/gen/envoy/config/route/v3/route_components_pb.js";
import type { HashKey } from "../model/traffic-policy.ts";
import { duration } from "./wire.ts";

/** What a request is hashed by, on the wire. */
export function hashPolicy(key: HashKey): MessageInitShape<typeof RouteAction_HashPolicySchema> {
  switch (key.type) {
    case "header":
      return { policySpecifier: { case: "header", value: { headerName: key.name } } };
    case "cookie":
      return {
        policySpecifier: {
          case: "cookie",
          value: {
            name: key.name,
            path: key.path,
            attributes: key.attributes.map(({ name, value }) => ({ name, value })),
            ...(key.ttlMs !== undefined && { ttl: duration(key.ttlMs) }),
          },
        },
      };
    case "source-ip":
      return { policySpecifier: { case: "connectionProperties", value: { sourceIp: true } } };
    case "query-parameter":
      return { policySpecifier: { case: "queryParameter", value: { name: key.name } } };
  }
}
