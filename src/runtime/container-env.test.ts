import { describe, expect, it } from "vitest";
import type { Pod } from "../config/pod.ts";
import { buildEnv, expandVariables } from "./container-env.ts";

const ADDRESSES = { podIp: "127.65.0.7", appAddress: "127.65.128.7" };
const CONTEXT = {
  addresses: ADDRESSES,
  hasSidecar: true,
  serverEnv: { PATH: "/bin", SECRET: "x" },
};

function pod(container: Partial<Pod["spec"]["containers"][number]>): Pod {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "web-1", namespace: "shop", uid: "u", labels: { app: "web" } },
    spec: { containers: [{ name: "c", ...container }], nodeName: "weft" },
  };
}

function envOf(container: Partial<Pod["spec"]["containers"][number]>, context = CONTEXT) {
  const object = pod(container);
  const first = object.spec.containers[0] ?? { name: "c" };
  return buildEnv(object, first, { FROM_CATALOGUE: "1" }, context);
}

describe("buildEnv()", () => {
  it("tells an app where to listen and how to get out", () => {
    const { env } = envOf({ ports: [{ containerPort: 9080 }, { containerPort: 9090 }] });
    expect(env).toEqual({
      PATH: "/bin",
      HOSTNAME: "web-1",
      WEFT_BIND: "127.65.128.7",
      PORT: "9080",
      http_proxy: "http://127.65.0.7:15002",
      HTTP_PROXY: "http://127.65.0.7:15002",
      https_proxy: "http://127.65.0.7:15002",
      HTTPS_PROXY: "http://127.65.0.7:15002",
      no_proxy: "localhost,127.0.0.1,127.65.0.7,127.65.128.7",
      NO_PROXY: "localhost,127.0.0.1,127.65.0.7,127.65.128.7",
      FROM_CATALOGUE: "1",
    });
  });

  it("has an app without a sidecar listen on the pod's own address", () => {
    const { env } = envOf({}, { ...CONTEXT, hasSidecar: false });
    expect(env["WEFT_BIND"]).toBe("127.65.0.7");
    expect(env).not.toHaveProperty("http_proxy");
  });

  it("lets the container's own variables win, in their order", () => {
    const { env } = envOf({
      env: [
        { name: "WEFT_BIND", value: "0.0.0.0" },
        { name: "NAME", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } },
        { name: "APP", valueFrom: { fieldRef: { fieldPath: "metadata.labels['app']" } } },
        { name: "IP", valueFrom: { fieldRef: { fieldPath: "status.podIP" } } },
        { name: "URL", value: "http://$(IP):$(LATER)/$$(IP)" },
        { name: "LATER", value: "1" },
      ],
    });
    expect(env).toMatchObject({
      WEFT_BIND: "0.0.0.0",
      NAME: "web-1",
      APP: "web",
      IP: "127.65.0.7",
      URL: "http://127.65.0.7:$(LATER)/$(IP)",
    });
  });

  it("names a field that it does not have", () => {
    const { problems } = envOf({
      env: [{ name: "X", valueFrom: { fieldRef: { fieldPath: "status.phase" } } }],
    });
    expect(problems).toEqual(['env "X": field "status.phase" of a pod is not available here']);
  });
});

describe("expandVariables()", () => {
  it.each([
    ["$(A)", "1"],
    ["$(B)", "$(B)"],
    ["$$(A)", "$(A)"],
    ["$A $(A", "$A $(A"],
  ])("%s becomes %s", (text, expanded) => {
    expect(expandVariables(text, { A: "1" })).toBe(expanded);
  });
});
