import type { Issue } from "../../base/issue.ts";
import { validateLabels } from "../metadata.ts";
import type { WorkloadGroup, WorkloadGroupProbe } from "../workload-group.ts";
import { checkUnixEndpoint, isUnixAddress } from "./port-rules.ts";
import { validateEndpointPorts } from "./workload-entry-rules.ts";

/** What Istio's webhook refuses about a WorkloadGroup beyond its schema. */
export function validateWorkloadGroup(spec: WorkloadGroup["spec"]): readonly Issue[] {
  const { metadata, template, probe } = spec;
  const { address = "" } = template;
  const message = "has no effect: machines do not register here, write a WorkloadEntry for each";
  return [
    { path: "spec", message, severity: "warning" },
    ...validateLabels("spec.metadata.labels", metadata?.labels),
    ...(isUnixAddress(address) ? checkUnixEndpoint(address, "spec.template.address") : []),
    ...validateEndpointPorts(template, "spec.template"),
    ...validateLabels("spec.template.labels", template.labels),
    ...(probe === undefined ? [] : validateProbe(probe, "spec.probe")),
  ];
}

/** The probe of a group; exactly one way to ask. */
export function validateProbe(probe: WorkloadGroupProbe, path: string): readonly Issue[] {
  const { httpGet, tcpSocket, exec, grpc } = probe;
  if (
    httpGet === undefined &&
    tcpSocket === undefined &&
    exec === undefined &&
    grpc === undefined
  ) {
    return [{ path, message: 'must have one of "httpGet", "tcpSocket", "exec", "grpc"' }];
  }
  const issues: Issue[] = [];
  for (const [at, { name = "" }] of (httpGet?.httpHeaders ?? []).entries()) {
    if (name !== "") continue;
    issues.push({ path: `${path}.httpGet.httpHeaders[${at}].name`, message: "is required" });
  }
  if (exec?.command.length === 0) {
    issues.push({ path: `${path}.exec.command`, message: "must not be empty" });
  }
  return issues;
}
