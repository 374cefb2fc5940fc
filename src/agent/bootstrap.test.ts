import { describe, expect, it } from "vitest";
import type { AgentConfig } from "./agent-config.ts";
import { buildBootstrap } from "./bootstrap.ts";
import { parseAgentConfig } from "./parse-agent-config.ts";

const CONFIG: AgentConfig = {
  proxy: "weft",
  type: "sidecar",
  podName: "reviews-v1-6bd7b8f9c9-x2z4k",
  namespace: "default",
  podIp: "127.65.0.7",
  appAddress: "127.65.128.7",
  serviceAccount: "bookinfo-reviews",
  labels: { app: "reviews", version: "v1" },
  hostPorts: [],
  discoveryAddress: "127.0.0.1:15010",
  directory: "/tmp/agent",
  adminPort: 15000,
  healthPort: 15021,
  logLevel: "info",
  drainMs: 5000,
};

describe("buildBootstrap()", () => {
  it("introduces the pod as Istio's proxies do", () => {
    expect(buildBootstrap(CONFIG, "1.2.3")["node"]).toEqual({
      id: "sidecar~127.65.0.7~reviews-v1-6bd7b8f9c9-x2z4k.default~default.svc.cluster.local",
      cluster: "reviews.default",
      metadata: {
        NAME: "reviews-v1-6bd7b8f9c9-x2z4k",
        NAMESPACE: "default",
        LABELS: { app: "reviews", version: "v1" },
        SERVICE_ACCOUNT: "bookinfo-reviews",
        CLUSTER_ID: "Kubernetes",
        INTERCEPTION_MODE: "NONE",
        INSTANCE_IPS: "127.65.0.7",
        ISTIO_VERSION: "1.2.3",
        WEFT_PROXY: "weft",
        WEFT_ON_DEMAND: "true",
        WEFT_APP_ADDRESS: "127.65.128.7",
      },
    });
  });

  it("tells a gateway's host ports, and no app address", () => {
    const { appAddress: _, ...rest } = CONFIG;
    const hostPorts = [{ containerPort: 8080, hostIp: "127.0.0.1", hostPort: 18080 }];
    const { node } = buildBootstrap({ ...rest, type: "router", hostPorts }, "1") as {
      node: { id: string; metadata: Record<string, unknown> };
    };
    expect(node.id).toMatch(/^router~/);
    expect(node.metadata["WEFT_HOST_PORTS"]).toEqual(hostPorts);
    expect(node.metadata).not.toHaveProperty("WEFT_APP_ADDRESS");
  });

  it("tells what the pod says of its proxy, for the control plane to go by", () => {
    const proxyConfig = { tracing: { sampling: 5 } };
    const { node } = buildBootstrap({ ...CONFIG, proxyConfig }, "1") as {
      node: { metadata: Record<string, unknown> };
    };
    expect(node.metadata["PROXY_CONFIG"]).toEqual(proxyConfig);
  });

  it.each([
    [{}, "DELTA_GRPC"],
    [{ deltaXds: true }, "DELTA_GRPC"],
    [{ deltaXds: false }, "GRPC"],
  ])("asks for what changed unless it is told otherwise: %j", (options, apiType) => {
    const { dynamic_resources: dynamic } = buildBootstrap({ ...CONFIG, ...options }, "1");
    expect(dynamic).toMatchObject({ ads_config: { api_type: apiType } });
  });

  it.each([
    ["127.0.0.1:15010", "STATIC", "127.0.0.1", 15010],
    ["istiod.istio-system.svc:15010", "STRICT_DNS", "istiod.istio-system.svc", 15010],
    ["[::1]:1234", "STATIC", "::1", 1234],
  ])("reaches discovery at %s", (discoveryAddress, type, address, port) => {
    const bootstrap = JSON.stringify(buildBootstrap({ ...CONFIG, discoveryAddress }, "1"));
    expect(bootstrap).toContain(`"type":"${type}"`);
    expect(bootstrap).toContain(`{"address":"${address}","port_value":${port}}`);
  });
});

describe("parseAgentConfig()", () => {
  it("takes what it is given", () => {
    expect(parseAgentConfig(JSON.stringify(CONFIG))).toEqual({ ok: true, value: CONFIG });
  });

  it("names everything that is wrong", () => {
    const { podIp: _, ...rest } = CONFIG;
    const text = JSON.stringify({
      ...rest,
      proxy: "envoy",
      adminPort: "x",
      deltaXds: "no",
      healtPort: 1,
    });
    expect(parseAgentConfig(text)).toEqual({
      ok: false,
      issues: [
        { path: "podIp", message: "required" },
        { path: "deltaXds", message: "must be true or false" },
        { path: "adminPort", message: "must be a whole number" },
        { path: "healtPort", message: 'unknown field, did you mean "healthPort"?' },
        { path: "envoyPath", message: 'required when proxy is "envoy"' },
      ],
    });
  });
});
