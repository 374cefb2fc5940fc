import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import { ApiError } from "./status.ts";

/**
 * Kubernetes' own binary form of objects, `application/vnd.kubernetes.protobuf`: what `kubectl create
 * namespace` and Go's typed clients send. Read only, for the kinds that such clients make; the
 * numbers are those of the public `generated.proto` files.
 */

/** What may stand in a field; a table is a message. */
type Type = "string" | "int" | "bool" | "base64" | "time" | "intOrString" | (() => Message);

interface Field {
  readonly name: string;
  readonly type: Type;
  readonly many?: "list" | "map";
  /** A pointer in Go: what is there counts, 0 and false included. */
  readonly isPointer?: boolean;
}

type Message = Readonly<Record<number, Field>>;

const text = (name: string): Field => ({ name, type: "string" });
const count = (name: string): Field => ({ name, type: "int" });
const optionalCount = (name: string): Field => ({ name, type: "int", isPointer: true });
const optionalFlag = (name: string): Field => ({ name, type: "bool", isPointer: true });
const flag = (name: string): Field => ({ name, type: "bool" });
const one = (name: string, type: Type): Field => ({ name, type });
const list = (name: string, type: Type = "string"): Field => ({ name, type, many: "list" });
const map = (name: string, type: Type = "string"): Field => ({ name, type, many: "map" });

const ownerReference: Message = {
  1: text("kind"),
  3: text("name"),
  4: text("uid"),
  5: text("apiVersion"),
  6: optionalFlag("controller"),
  7: optionalFlag("blockOwnerDeletion"),
};
const metadata: Message = {
  1: text("name"),
  2: text("generateName"),
  3: text("namespace"),
  4: text("selfLink"),
  5: text("uid"),
  6: text("resourceVersion"),
  7: count("generation"),
  8: one("creationTimestamp", "time"),
  9: one("deletionTimestamp", "time"),
  10: optionalCount("deletionGracePeriodSeconds"),
  11: map("labels"),
  12: map("annotations"),
  13: list("ownerReferences", () => ownerReference),
  14: list("finalizers"),
};
const selector: Message = {
  1: map("matchLabels"),
  2: list("matchExpressions", () => ({ 1: text("key"), 2: text("operator"), 3: list("values") })),
};
const containerPort: Message = {
  1: text("name"),
  2: count("hostPort"),
  3: count("containerPort"),
  4: text("protocol"),
  5: text("hostIP"),
};
const container: Message = {
  1: text("name"),
  2: text("image"),
  3: list("command"),
  4: list("args"),
  5: text("workingDir"),
  6: list("ports", () => containerPort),
  7: list("env", () => ({ 1: text("name"), 2: text("value") })),
  8: one("resources", () => ({})),
  14: text("imagePullPolicy"),
};
const podSpec: Message = {
  2: list("containers", () => container),
  3: text("restartPolicy"),
  4: optionalCount("terminationGracePeriodSeconds"),
  6: text("dnsPolicy"),
  7: map("nodeSelector"),
  8: text("serviceAccountName"),
  9: text("serviceAccount"),
  10: text("nodeName"),
  11: flag("hostNetwork"),
  12: flag("hostPID"),
  13: flag("hostIPC"),
  14: one("securityContext", () => ({})),
};
const template: Message = { 1: one("metadata", () => metadata), 2: one("spec", () => podSpec) };
const rollingUpdate: Message = {
  1: one("maxUnavailable", "intOrString"),
  2: one("maxSurge", "intOrString"),
};
const deploymentSpec: Message = {
  1: optionalCount("replicas"),
  2: one("selector", () => selector),
  3: one("template", () => template),
  4: one("strategy", () => ({ 1: text("type"), 2: one("rollingUpdate", () => rollingUpdate) })),
  5: count("minReadySeconds"),
  6: optionalCount("revisionHistoryLimit"),
  7: flag("paused"),
  9: optionalCount("progressDeadlineSeconds"),
};
const servicePort: Message = {
  1: text("name"),
  2: text("protocol"),
  3: count("port"),
  4: one("targetPort", "intOrString"),
  5: count("nodePort"),
  6: text("appProtocol"),
};
const serviceSpec: Message = {
  1: list("ports", () => servicePort),
  2: map("selector"),
  3: text("clusterIP"),
  4: text("type"),
  5: list("externalIPs"),
  7: text("sessionAffinity"),
  8: text("loadBalancerIP"),
  10: text("externalName"),
  11: text("externalTrafficPolicy"),
  13: flag("publishNotReadyAddresses"),
  18: list("clusterIPs"),
};

/** Statuses are not taken from clients that create. */
const noStatus = one("status", () => ({}));

const KINDS: Readonly<Record<string, Message>> = {
  "v1/Namespace": { 2: one("spec", () => ({ 1: list("finalizers") })), 3: noStatus },
  "v1/ConfigMap": { 2: map("data"), 3: map("binaryData", "base64"), 4: optionalFlag("immutable") },
  "v1/Secret": {
    2: map("data", "base64"),
    3: text("type"),
    4: map("stringData"),
    5: optionalFlag("immutable"),
  },
  "v1/ServiceAccount": {
    3: list("imagePullSecrets", () => ({ 1: text("name") })),
    4: optionalFlag("automountServiceAccountToken"),
  },
  "v1/Service": { 2: one("spec", () => serviceSpec), 3: noStatus },
  "apps/v1/Deployment": { 2: one("spec", () => deploymentSpec), 3: noStatus },
};

/** The content type of this form. */
export const PROTOBUF = "application/vnd.kubernetes.protobuf";

const MAGIC = Buffer.from("k8s\0", "latin1");

/** An object, as its JSON would have said it. */
export function decodeProtobuf(bytes: Buffer): unknown {
  if (!bytes.subarray(0, MAGIC.length).equals(MAGIC)) {
    throw new ApiError("BadRequest", "the body is not Kubernetes' protobuf");
  }
  try {
    return decodeUnknown(bytes.subarray(MAGIC.length));
  } catch (error) {
    if (error instanceof ApiError) throw error;
    throw new ApiError("BadRequest", "the body is not Kubernetes' protobuf");
  }
}

/** `runtime.Unknown`: what it is, and its bytes. */
function decodeUnknown(bytes: Uint8Array): unknown {
  const reader = new BinaryReader(bytes);
  let kind = { apiVersion: "", kind: "" };
  let raw: Uint8Array = new Uint8Array();
  while (reader.pos < reader.len) {
    const [number, wireType] = reader.tag();
    if (number === 1) {
      const said = decodeMessage(reader.bytes(), { 1: text("apiVersion"), 2: text("kind") });
      kind = { ...kind, ...said };
    } else if (number === 2) raw = reader.bytes();
    else reader.skip(wireType, number);
  }
  if (kind.kind === "DeleteOptions") return decodeDeleteOptions(raw);
  const fields = KINDS[`${kind.apiVersion}/${kind.kind}`];
  if (fields === undefined) {
    const message = `${kind.kind} in "${kind.apiVersion}" is not read as protobuf, send application/json`;
    throw new ApiError("UnsupportedMediaType", message);
  }
  return { ...kind, ...decodeMessage(raw, { 1: one("metadata", () => metadata), ...fields }) };
}

function decodeDeleteOptions(raw: Uint8Array): object {
  return decodeMessage(raw, {
    1: optionalCount("gracePeriodSeconds"),
    2: one("preconditions", () => ({ 1: text("uid"), 2: text("resourceVersion") })),
    3: optionalFlag("orphanDependents"),
    4: text("propagationPolicy"),
    5: list("dryRun"),
  });
}

function decodeMessage(bytes: Uint8Array, message: Message): Record<string, unknown> {
  const reader = new BinaryReader(bytes);
  const fields = new Map<string, unknown>();
  while (reader.pos < reader.len) {
    const [number, wireType] = reader.tag();
    const field = message[number];
    if (field === undefined) skipEmpty(reader, wireType, number);
    else readField(reader, field, fields);
  }
  return Object.fromEntries(fields);
}

function readField(reader: BinaryReader, field: Field, fields: Map<string, unknown>): void {
  const { name, type, many, isPointer = false } = field;
  if (many === "map") {
    const entry = decodeMessage(reader.bytes(), {
      1: { ...text("key"), isPointer: true },
      2: { name: "value", type, isPointer: true },
    });
    const { key = "", value = "" } = entry as { key?: string; value?: unknown };
    fields.set(name, { ...((fields.get(name) ?? {}) as object), [key]: value });
    return;
  }
  const value = readValue(reader, type);
  if (many === "list") fields.set(name, [...((fields.get(name) ?? []) as unknown[]), value]);
  // Go writes what is not set, as nothing.
  else if (isPointer || !isZero(value)) fields.set(name, value);
}

function readValue(reader: BinaryReader, type: Type): unknown {
  switch (type) {
    case "string":
      return reader.string();
    case "int":
      return Number(reader.int64());
    case "bool":
      return reader.bool();
    case "base64":
      return Buffer.from(reader.bytes()).toString("base64");
    case "time": {
      const { seconds } = decodeMessage(reader.bytes(), { 1: count("seconds") });
      if (typeof seconds !== "number") return "";
      return `${new Date(seconds * 1000).toISOString().slice(0, 19)}Z`;
    }
    case "intOrString": {
      const fields = { 1: count("type"), 2: optionalCount("number"), 3: text("text") };
      const value = decodeMessage(reader.bytes(), fields);
      // 0 is how a target port is left out; a count of 0 is not sent by clients that create.
      return value["type"] === 1 ? (value["text"] ?? "") : (value["number"] ?? 0);
    }
    default:
      return decodeMessage(reader.bytes(), type());
  }
}

function isZero(value: unknown): boolean {
  if (value === "" || value === 0 || value === false) return true;
  return typeof value === "object" && value !== null && Object.keys(value).length === 0;
}

/** A field that is not in the tables may say nothing; dropped unseen it may not be. */
function skipEmpty(reader: BinaryReader, wireType: WireType, number: number): void {
  const isNothing =
    (wireType === WireType.LengthDelimited && reader.bytes().length === 0) ||
    (wireType === WireType.Varint && Number(reader.int64()) === 0);
  if (isNothing) return;
  const message = `field ${number} of the protobuf body is not read yet, send application/json`;
  throw new ApiError("UnsupportedMediaType", message);
}
