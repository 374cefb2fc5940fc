import { conditionsSchema } from "./condition.ts";
import { AGE_COLUMN, defineKind } from "./kind.ts";
import { kubeObject } from "./metadata.ts";
import type { Infer } from "./schema.ts";
import {
  anything,
  array,
  boolean,
  integer,
  intOrString,
  listMap,
  map,
  object,
  required,
  string,
} from "./schema.ts";

const nodeInfo = object({
  architecture: string(),
  bootID: string(),
  containerRuntimeVersion: string(),
  kernelVersion: string(),
  kubeProxyVersion: string(),
  kubeletVersion: string(),
  machineID: string(),
  operatingSystem: string(),
  osImage: string(),
  systemUUID: string(),
  swap: anything(),
});

const schema = kubeObject(
  {
    spec: object({
      podCIDR: string(),
      podCIDRs: array(string()),
      providerID: string(),
      unschedulable: boolean(),
      taints: array(anything()),
    }),
    status: object({
      addresses: listMap(
        ["type"],
        object({ type: required(string()), address: required(string()) }),
      ),
      capacity: map(intOrString()),
      allocatable: map(intOrString()),
      conditions: conditionsSchema,
      nodeInfo,
      phase: string(),
      daemonEndpoints: object({ kubeletEndpoint: object({ Port: required(integer()) }) }),
      images: array(anything()),
      features: anything(),
      runtimeHandlers: array(anything()),
    }),
  },
  "A machine that runs pods; with weft, this one.",
);

/** core/v1 Node. */
export type Node = Infer<typeof schema>;

/** The kind `v1 Node`. */
export const nodeKind = defineKind<Node>({
  group: "",
  versions: ["v1"],
  kind: "Node",
  plural: "nodes",
  shortNames: ["no"],
  isNamespaced: false,
  schema,
  printerColumns: [
    { name: "Status", type: "string", cell: formatStatus },
    { name: "Roles", type: "string", cell: formatRoles },
    AGE_COLUMN,
    {
      name: "Version",
      type: "string",
      cell: ({ status }) => status?.nodeInfo?.kubeletVersion ?? "<unknown>",
    },
    {
      name: "Internal-IP",
      type: "string",
      priority: 1,
      cell: (node) => addressOf(node, "InternalIP"),
    },
    {
      name: "External-IP",
      type: "string",
      priority: 1,
      cell: (node) => addressOf(node, "ExternalIP"),
    },
    {
      name: "OS-Image",
      type: "string",
      priority: 1,
      cell: ({ status }) => status?.nodeInfo?.osImage ?? "<unknown>",
    },
    {
      name: "Kernel-Version",
      type: "string",
      priority: 1,
      cell: ({ status }) => status?.nodeInfo?.kernelVersion ?? "<unknown>",
    },
    {
      name: "Container-Runtime",
      type: "string",
      priority: 1,
      cell: ({ status }) => status?.nodeInfo?.containerRuntimeVersion ?? "<unknown>",
    },
  ],
});

function formatStatus({ spec, status }: Node): string {
  const ready = status?.conditions?.find(({ type }) => type === "Ready");
  let text = "Unknown";
  if (ready !== undefined) text = ready.status === "True" ? "Ready" : "NotReady";
  return spec?.unschedulable === true ? `${text},SchedulingDisabled` : text;
}

function formatRoles({ metadata }: Node): string {
  const prefix = "node-role.kubernetes.io/";
  const roles = Object.keys(metadata.labels ?? {}).filter((key) => key.startsWith(prefix));
  return roles.length === 0 ? "<none>" : roles.map((key) => key.slice(prefix.length)).join(",");
}

function addressOf({ status }: Node, wanted: string): string {
  return status?.addresses?.find(({ type }) => type === wanted)?.address ?? "<none>";
}
