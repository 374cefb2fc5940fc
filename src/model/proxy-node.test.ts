import { describe, expect, test } from "vitest";
import { formatIssue } from "../base/issue.ts";
import { decodeProxyNode, type NodeRecord } from "./proxy-node.ts";

const SIDECAR = "sidecar~127.65.0.7~reviews-v1-x.default~default.svc.cluster.local";

function issuesOf(record: NodeRecord): readonly string[] {
  const result = decodeProxyNode(record);
  return result.ok ? [] : result.issues.map(formatIssue);
}

describe("decodeProxyNode()", () => {
  test("reads the id and the metadata", () => {
    const result = decodeProxyNode({
      id: SIDECAR,
      metadata: {
        LABELS: { app: "reviews" },
        INTERCEPTION_MODE: "NONE",
        SERVICE_ACCOUNT: "bookinfo-reviews",
        WEFT_APP_ADDRESS: "127.65.128.7",
      },
    });
    expect(result).toEqual({
      ok: true,
      value: {
        id: SIDECAR,
        type: "sidecar",
        ip: "127.65.0.7",
        ips: ["127.65.0.7"],
        name: "reviews-v1-x",
        namespace: "default",
        dnsDomain: "default.svc.cluster.local",
        labels: { app: "reviews" },
        serviceAccount: "bookinfo-reviews",
        clusterId: "Kubernetes",
        network: "",
        nodeName: "",
        locality: { region: "", zone: "", subzone: "" },
        interceptionMode: "NONE",
        httpProxyPort: 15_002,
        isWeft: false,
        hasWeftAgent: true,
        istioMinor: undefined,
        serviceCluster: "",
        annotations: {},
        workloadName: "",
        meshId: "",
        hasCertificates: false,
        takesHttp10: false,
        answersDns: false,
        idleTimeoutMs: undefined,
        appAddress: "127.65.128.7",
        hostPorts: [],
        isUnprivileged: false,
        calledHosts: [],
        proxyConfig: {},
      },
    });
  });

  test("takes a gateway as it is, without interception", () => {
    const id = "router~127.65.0.2~ingress.istio-system~istio-system.svc.cluster.local";
    const hostPorts = [{ containerPort: 8080, hostIp: "127.0.0.1", hostPort: 8080 }];
    const result = decodeProxyNode({ id, metadata: { WEFT_HOST_PORTS: hostPorts } });
    expect(result).toMatchObject({ ok: true, value: { type: "router", hostPorts } });
  });

  test.each([
    [{ id: "me" }, 'node.id: node id "me" is not of the form'],
    [{ id: "waypoint~127.0.0.1~a.b~c" }, "node.id: node id"],
    [{ id: "router~here~a.b~c" }, 'node.id: "here" is not an IP address'],
    [
      { id: SIDECAR, metadata: { INTERCEPTION_MODE: "MAGIC" } },
      'node.metadata.INTERCEPTION_MODE: is "MAGIC", must be NONE, REDIRECT or TPROXY',
    ],
    [
      { id: SIDECAR, metadata: { HTTP_PROXY_PORT: "soon" } },
      'node.metadata.HTTP_PROXY_PORT: is "soon", not a port',
    ],
    [
      { id: SIDECAR, metadata: { INTERCEPTION_MODE: "NONE", LABELS: { app: 1 } } },
      "node.metadata.LABELS: is not a map of text to text",
    ],
    [
      { id: SIDECAR, metadata: { INTERCEPTION_MODE: "NONE", WEFT_HOST_PORTS: [8080] } },
      "node.metadata.WEFT_HOST_PORTS: is not a list of",
    ],
    [
      { id: SIDECAR, metadata: { INTERCEPTION_MODE: "NONE", WEFT_CALLED_HOSTS: "9080/a,reviews" } },
      'node.metadata.WEFT_CALLED_HOSTS: has "reviews", not the name of routes and a host',
    ],
  ])("refuses %j with its place and reason", (record, message) => {
    const issues = issuesOf(record);
    expect(issues).toHaveLength(1);
    expect(issues[0]).toContain(message);
  });
});
