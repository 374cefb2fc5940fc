import { readFileSync } from "node:fs";
import { createRegistry, fromBinary, fromJson, type JsonValue } from "@bufbuild/protobuf";
import { parse as parseYaml } from "yaml";
import {
  type Secret,
  SecretSchema,
} from "../../api/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.js";
import { DiscoveryResponseSchema } from "../../api/gen/envoy/service/discovery/v3/discovery_pb.js";
import { unpackAny } from "../../api/type-url.ts";

const TYPES = createRegistry(SecretSchema);

/**
 * Reads a secret from a file that holds a discovery response: YAML, JSON, or by the ending `.pb`
 * protobuf. Returns what is wrong as text.
 */
export function readSecretFile(path: string, name: string): Secret | string {
  try {
    const bytes = readFileSync(path);
    const response = path.endsWith(".pb")
      ? fromBinary(DiscoveryResponseSchema, bytes)
      : fromJson(DiscoveryResponseSchema, parseYaml(bytes.toString("utf8")) as JsonValue, {
          registry: TYPES,
        });
    const secrets = response.resources.flatMap((any) => unpackAny(SecretSchema, any) ?? []);
    const [only] = secrets;
    const found = secrets.find((secret) => secret.name === name);
    if (found !== undefined) return found;
    // Envoy asks the file for its one secret, whatever that is called.
    return only === undefined || secrets.length > 1
      ? `Missing SDS resources for ${name} in onConfigUpdate()`
      : `Unexpected SDS secret (expecting ${name}): ${only.name}`;
  } catch (error) {
    const cause = error instanceof Error ? error.message : String(error);
    return `cannot read secret ${name} from ${path}: ${cause}`;
  }
}
