import { isDeepStrictEqual } from "node:util";
import type { SnapshotJson } from "../../src/xds/resource-json.ts";
import type { Call, CallResult } from "./call.ts";
import { EnvoyLab } from "./envoy-lab.ts";
import type { LabRecord } from "./lab-bootstrap.ts";
import { readResources } from "./proxy-resources.ts";
import { simulate } from "./simulate.ts";

/** Where a call ended, in the words that Envoy's log and our simulation have in common. */
interface CallEnd {
  readonly listener: string;
  readonly chain?: string;
  readonly end: string;
  readonly virtualHost?: string;
  readonly route?: string;
}

/** Makes calls to a real Envoy with a proxy's configuration, and says which end otherwise than we say. */
export async function disagreements(
  envoy: string,
  json: SnapshotJson,
  calls: readonly Call[],
): Promise<readonly unknown[]> {
  const lab = await EnvoyLab.start(envoy, json);
  try {
    const resources = readResources(json);
    const found: unknown[] = [];
    for (const call of calls) {
      const differing = disagreement(simulate(resources, call), await lab.call(call));
      if (differing !== undefined) found.push({ call, ...differing });
    }
    return found;
  } finally {
    await lab.stop();
  }
}

/** How Envoy's word on a call differs from ours; `undefined` where both say the same. */
function disagreement(
  result: CallResult,
  record: LabRecord | undefined,
): { readonly weft: CallEnd; readonly envoy: CallEnd } | undefined {
  const weft = endOfResult(result);
  const envoy = endOfRecord(record);
  // Of several, chance took one.
  const isAmong = result.clusters?.some((name) => envoy.end === `cluster ${name}`) === true;
  const end = isAmong ? weft.end : envoy.end;
  return isDeepStrictEqual(weft, { ...envoy, end }) ? undefined : { weft, envoy };
}

/** Of a simulated call. */
function endOfResult(result: CallResult): CallEnd {
  const { listener = "", filterChain, virtualHost, route } = result;
  const ended = { listener, ...(filterChain === undefined ? {} : { chain: filterChain }) };
  switch (result.error) {
    case "no virtual host matched":
    case "no route matched":
      return { ...ended, end: "no route" };
    case "tls required, sending 301":
      return { ...ended, end: "status 301" };
    case "invalid TLS":
    case "invalid mTLS":
      // The log of a handshake that failed knows its listener alone.
      return { listener, end: "TLS failure" };
    case "no filter chains matched":
    case "no listener matched":
    case "protocol error":
      return { ...ended, end: result.error };
    case undefined:
      break;
  }
  return { ...ended, end: endOf(result), ...named({ virtualHost, route }) };
}

function endOf({ status, cluster, clusters }: CallResult): string {
  return status === undefined ? `cluster ${cluster ?? clusters?.join(" or ")}` : `status ${status}`;
}

/** Of what Envoy wrote. */
function endOfRecord(record: LabRecord | undefined): CallEnd {
  if (record === undefined) return { listener: "", end: "no listener matched" };
  const { listener, chain, layer, cluster, virtualHost, route, code, flags } = record;
  if (layer === "connection") {
    if (flags === "NR") return { listener, end: "no filter chains matched" };
    return { listener, end: record.transportFailure === null ? "nothing" : "TLS failure" };
  }
  // In TLS 1.3 the other end has its first bytes before it shows a certificate.
  if (record.transportFailure?.includes("CERTIFICATE") === true) {
    return { listener, end: "TLS failure" };
  }
  const ended = { listener, chain };
  if (layer === "tcp") return { ...ended, end: `cluster ${cluster}` };
  if (flags === "NR") return { ...ended, end: "no route" };
  if (flags === "DPE") return { ...ended, end: "protocol error" };
  const end = cluster === null ? `status ${code}` : `cluster ${cluster}`;
  return { ...ended, end, ...named({ virtualHost, route }) };
}

/** Without what has no name. */
function named(names: Readonly<Record<string, string | null | undefined>>): Partial<CallEnd> {
  const given = Object.entries(names).filter(
    ([, name]) => name !== undefined && name !== null && name !== "",
  );
  return Object.fromEntries(given);
}
