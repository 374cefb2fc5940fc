import type { Issue } from "../base/issue.ts";
import { isSameJson } from "./json.ts";
import type { Infer, Typed } from "./schema.ts";
import {
  anything,
  array,
  boolean,
  builtFor,
  integer,
  listMap,
  map,
  noEffect,
  notBuilt,
  object,
  port,
  required,
  string,
} from "./schema.ts";

const NO_ISOLATION = "containers run as processes of this machine, without isolation or limits";
const ONE_NODE = "there is one node, every pod runs on it";

const label = string({ format: "k8s-short-name" });

const fieldRef = object({
  apiVersion: string({ default: "v1" }),
  fieldPath: required(string({ minLength: 1 })),
});

const envVar = object({
  name: required(string({ minLength: 1 })),
  value: string(),
  valueFrom: object(
    {
      fieldRef,
      resourceFieldRef: notBuilt(),
      configMapKeyRef: notBuilt(),
      secretKeyRef: notBuilt(),
      fileKeyRef: notBuilt(),
    },
    { description: "Where the value comes from, when it is not written here." },
  ),
});

const containerPort = object({
  name: string({ maxLength: 15, format: "k8s-short-name" }),
  containerPort: required(port({ description: "Where the container listens." })),
  hostPort: port({ description: "A port of the machine that leads here." }),
  hostIP: string({ format: "ip" }),
  protocol: builtFor(string({ enum: ["TCP", "UDP", "SCTP"], default: "TCP" }), ["TCP"]),
});

const volumeMount = object({
  name: required(string({ minLength: 1 })),
  mountPath: required(string({ minLength: 1 })),
  readOnly: noEffect(boolean(), NO_ISOLATION),
  recursiveReadOnly: notBuilt(),
  subPath: notBuilt(),
  subPathExpr: notBuilt(),
  mountPropagation: notBuilt(),
});

/** `500m`, `1Gi`, and numbers with or without a fraction. */
const quantity: Typed<number | string> = { anyOf: [{ type: "number" }, { type: "string" }] };
const quantities = map(quantity);

const container = object({
  name: required({ ...label, minLength: 1 }),
  image: string({ description: "Looked up in the catalogue of local commands." }),
  imagePullPolicy: string({ enum: ["Always", "IfNotPresent", "Never"] }),
  command: array(string(), { description: "The program, instead of the image's." }),
  args: array(string(), { description: "Arguments, instead of the image's." }),
  workingDir: string(),
  env: listMap(["name"], envVar),
  envFrom: notBuilt(),
  ports: listMap(["containerPort", "protocol"], containerPort),
  volumeMounts: listMap(["mountPath"], volumeMount),
  volumeDevices: notBuilt(),
  resources: noEffect(
    object({
      limits: quantities,
      requests: quantities,
      claims: listMap(["name"], object({ name: required(string()), request: string() })),
    }),
    NO_ISOLATION,
  ),
  resizePolicy: notBuilt(),
  restartPolicy: notBuilt(),
  restartPolicyRules: notBuilt(),
  securityContext: noEffect(
    object({
      allowPrivilegeEscalation: boolean(),
      appArmorProfile: anything(),
      capabilities: object({ add: array(string()), drop: array(string()) }),
      privileged: boolean(),
      procMount: string(),
      readOnlyRootFilesystem: boolean(),
      runAsGroup: integer({ format: "int64" }),
      runAsNonRoot: boolean(),
      runAsUser: integer({ format: "int64" }),
      seLinuxOptions: anything(),
      seccompProfile: anything(),
      windowsOptions: anything(),
    }),
    NO_ISOLATION,
  ),
  startupProbe: notBuilt(),
  readinessProbe: notBuilt(),
  livenessProbe: notBuilt(),
  lifecycle: notBuilt(),
  terminationMessagePath: noEffect(string(), "no termination message is read", [
    "/dev/termination-log",
  ]),
  terminationMessagePolicy: noEffect(string(), "no termination message is read", ["File"]),
  stdin: notBuilt(),
  stdinOnce: notBuilt(),
  tty: notBuilt(),
});

const NOT_BUILT_VOLUMES =
  "awsElasticBlockStore azureDisk azureFile cephfs cinder configMap csi downwardAPI ephemeral fc flexVolume flocker gcePersistentDisk gitRepo glusterfs hostPath image iscsi nfs persistentVolumeClaim photonPersistentDisk portworxVolume projected quobyte rbd scaleIO secret storageos vsphereVolume".split(
    " ",
  );

const emptyDir = object({
  medium: noEffect(string(), "it is a folder on the disk of this machine"),
  sizeLimit: noEffect(quantity, NO_ISOLATION),
});

const volume = object({
  name: required({ ...label, minLength: 1 }),
  emptyDir: { ...emptyDir, description: "A folder that lives as long as the pod." },
  ...(Object.fromEntries(NOT_BUILT_VOLUMES.map((name) => [name, notBuilt()])) as Readonly<
    Record<"configMap" | "secret" | "hostPath", ReturnType<typeof notBuilt>>
  >),
});

/** `PodSpec`: of pods, and of the templates of what makes pods. */
export const podSpecSchema = object({
  containers: required(listMap(["name"], container, { minItems: 1 })),
  initContainers: listMap(["name"], container),
  ephemeralContainers: notBuilt(),
  volumes: listMap(["name"], volume),
  serviceAccountName: string({ description: 'Its identity; "default" when not set.' }),
  serviceAccount: string({ description: "Older name of `serviceAccountName`." }),
  automountServiceAccountToken: noEffect(boolean(), "no token is mounted", [false]),
  terminationGracePeriodSeconds: integer({
    format: "int64",
    minimum: 0,
    default: 30,
    description: "Seconds between SIGTERM and SIGKILL.",
  }),
  restartPolicy: string({ enum: ["Always", "OnFailure", "Never"], default: "Always" }),
  activeDeadlineSeconds: notBuilt(),
  nodeName: string({ description: "Where it runs; set by the scheduler." }),
  hostname: notBuilt(),
  subdomain: notBuilt(),
  hostAliases: notBuilt(),
  setHostnameAsFQDN: notBuilt(),
  hostnameOverride: notBuilt(),
  dnsPolicy: noEffect(
    string({ enum: ["ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"] }),
    "names of services are resolved by the sidecar, others by this machine",
    ["ClusterFirst", "Default"],
  ),
  dnsConfig: notBuilt(),
  hostNetwork: noEffect(boolean(), "every pod has an address of its own", [false]),
  hostPID: builtFor(boolean(), [false]),
  hostIPC: builtFor(boolean(), [false]),
  hostUsers: noEffect(boolean(), NO_ISOLATION),
  shareProcessNamespace: noEffect(boolean(), NO_ISOLATION),
  imagePullSecrets: listMap(["name"], object({ name: string() })),
  nodeSelector: noEffect(map(string()), ONE_NODE),
  affinity: noEffect(anything(), ONE_NODE),
  tolerations: noEffect(array(anything()), ONE_NODE),
  topologySpreadConstraints: noEffect(array(anything()), ONE_NODE),
  schedulerName: noEffect(string(), ONE_NODE, ["default-scheduler"]),
  schedulingGates: notBuilt(),
  priority: noEffect(integer(), ONE_NODE, [0]),
  priorityClassName: noEffect(string(), ONE_NODE),
  preemptionPolicy: noEffect(string(), ONE_NODE, ["PreemptLowerPriority"]),
  enableServiceLinks: noEffect(boolean(), "no variables are made for services", [false]),
  os: notBuilt(),
  overhead: notBuilt(),
  readinessGates: notBuilt(),
  resourceClaims: notBuilt(),
  resources: notBuilt(),
  runtimeClassName: notBuilt(),
  securityContext: noEffect(
    object({
      appArmorProfile: anything(),
      fsGroup: integer({ format: "int64" }),
      fsGroupChangePolicy: string(),
      runAsGroup: integer({ format: "int64" }),
      runAsNonRoot: boolean(),
      runAsUser: integer({ format: "int64" }),
      seLinuxChangePolicy: string(),
      seLinuxOptions: anything(),
      seccompProfile: anything(),
      supplementalGroups: array(integer({ format: "int64" })),
      supplementalGroupsPolicy: string(),
      sysctls: anything(),
      windowsOptions: anything(),
    }),
    NO_ISOLATION,
  ),
});

/** What a pod runs. */
export type PodSpec = Infer<typeof podSpecSchema>;
/** One program of a pod. */
export type Container = Infer<typeof container>;
/** One environment variable of a container. */
export type EnvVar = Infer<typeof envVar>;

/** The paths that `valueFrom.fieldRef` may name. */
export const FIELD_REFS = [
  "metadata.name",
  "metadata.namespace",
  "metadata.uid",
  "spec.nodeName",
  "spec.serviceAccountName",
  "status.hostIP",
  "status.hostIPs",
  "status.podIP",
  "status.podIPs",
] as const;

const KEYED_FIELD_REF = /^metadata\.(labels|annotations)\['[^']+'\]$/;

/** The rules of a pod across fields, as the API server of Kubernetes has them. */
export function validatePodSpec(spec: PodSpec, path: string): readonly Issue[] {
  const issues: Issue[] = [];
  const volumes = new Set(spec.volumes?.map(({ name }) => name));
  for (const [at, { name, ...sources }] of (spec.volumes ?? []).entries()) {
    if (Object.keys(sources).length === 0) {
      issues.push({
        path: `${path}.volumes[${at}]`,
        message: `volume "${name}" must have a source, for example emptyDir: {}`,
      });
    }
  }
  const names = new Set<string>();
  for (const field of ["containers", "initContainers"] as const) {
    for (const [at, one] of (spec[field] ?? []).entries()) {
      const where = `${path}.${field}[${at}]`;
      // Within one list the schema has refused it already.
      if (field === "initContainers" && names.has(one.name)) {
        issues.push({ path: `${where}.name`, message: `duplicate of "${one.name}"` });
      }
      names.add(one.name);
      issues.push(...validateContainer(one, where, volumes));
    }
  }
  return issues;
}

function validateContainer(
  { image, command, env, ports, volumeMounts }: Container,
  path: string,
  volumes: ReadonlySet<string>,
): readonly Issue[] {
  const issues = [...validateEnv(env ?? [], `${path}.env`)];
  if ((image ?? "") === "" && (command?.length ?? 0) === 0) {
    issues.push({ path: `${path}.image`, message: "is required, where there is no command" });
  }
  const portNames = new Set<string>();
  for (const [at, { name }] of (ports ?? []).entries()) {
    if (name === undefined) continue;
    if (portNames.has(name)) {
      issues.push({ path: `${path}.ports[${at}].name`, message: `duplicate of "${name}"` });
    }
    portNames.add(name);
  }
  for (const [at, { name }] of (volumeMounts ?? []).entries()) {
    if (volumes.has(name)) continue;
    issues.push({
      path: `${path}.volumeMounts[${at}].name`,
      message: `no volume is called "${name}"`,
    });
  }
  return issues;
}

function validateEnv(env: readonly EnvVar[], path: string): readonly Issue[] {
  const issues: Issue[] = [];
  for (const [at, { name, value, valueFrom }] of env.entries()) {
    const where = `${path}[${at}]`;
    if (!/^[^=\0]+$/.test(name)) {
      issues.push({ path: `${where}.name`, message: `must not contain "=": got "${name}"` });
    }
    if (valueFrom === undefined) continue;
    if ((value ?? "") !== "") {
      issues.push({
        path: `${where}.valueFrom`,
        message: "may not be set where value is not empty",
      });
    }
    const field = valueFrom.fieldRef?.fieldPath;
    if (field === undefined) {
      issues.push({ path: `${where}.valueFrom`, message: "must have exactly one source" });
    } else if (!FIELD_REFS.some((one) => one === field) && !KEYED_FIELD_REF.test(field)) {
      issues.push({
        path: `${where}.valueFrom.fieldRef.fieldPath`,
        message: `must be one of ${FIELD_REFS.join(", ")}, metadata.labels['KEY'], metadata.annotations['KEY']: got "${field}"`,
      });
    }
  }
  return issues;
}

/** What of a pod may be changed while it runs; the rest is for a new pod. */
const MUTABLE = ["containers", "initContainers", "nodeName", "tolerations"];

/** A pod runs as it was started: only what Kubernetes lets change of one may change. */
export function validatePodUpdate(spec: PodSpec, old: PodSpec): readonly Issue[] {
  const issues: Issue[] = [];
  const fields = spec as Readonly<Record<string, unknown>>;
  const before = old as Readonly<Record<string, unknown>>;
  for (const name of new Set([...Object.keys(fields), ...Object.keys(before)])) {
    if (MUTABLE.includes(name) || isSameJson(fields[name], before[name])) continue;
    issues.push({ path: `spec.${name}`, message: "may not be changed while the pod exists" });
  }
  if (old.nodeName !== undefined && spec.nodeName !== old.nodeName) {
    issues.push({ path: "spec.nodeName", message: "may not be changed while the pod exists" });
  }
  for (const field of ["containers", "initContainers"] as const) {
    if (isSameJson(spec[field] ?? [], old[field] ?? [])) continue;
    issues.push({
      path: `spec.${field}`,
      message: "may not be changed while the pod exists: delete it, or change what made it",
    });
  }
  return issues;
}
