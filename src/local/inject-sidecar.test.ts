import { describe, expect, it } from "vitest";
import type { Namespace } from "../config/namespace.ts";
import type { Pod } from "../config/pod.ts";
import { injectSidecar, isToInject } from "./inject-sidecar.ts";

function pod(label?: string, namespace = "shop", container = "app"): Pod {
  const labels = label === undefined ? {} : { "sidecar.istio.io/inject": label };
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "web", namespace, labels },
    spec: { containers: [{ name: container }] },
  };
}

function namespace(injection?: string): Namespace {
  const labels = injection === undefined ? {} : { "istio-injection": injection };
  return { apiVersion: "v1", kind: "Namespace", metadata: { name: "shop", labels } };
}

describe("isToInject()", () => {
  it.each([
    ["enabled", undefined, true],
    ["enabled", "false", false],
    ["enabled", "true", true],
    [undefined, undefined, false],
    [undefined, "true", true],
    ["disabled", "true", false],
  ])("namespace %s, pod %s: %s", (injection, label, isInjected) => {
    expect(isToInject(pod(label), namespace(injection))).toBe(isInjected);
  });

  it("leaves system namespaces and pods that have one alone", () => {
    expect(isToInject(pod("true", "kube-system"), namespace("enabled"))).toBe(false);
    expect(isToInject(pod("true", "shop", "istio-proxy"), namespace("enabled"))).toBe(false);
  });
});

describe("injectSidecar()", () => {
  it("puts the sidecar behind the app, which stays the default container", () => {
    const injected = injectSidecar(pod(), "weft/proxy:1");
    expect(injected.spec.containers.map(({ name }) => name)).toEqual(["app", "istio-proxy"]);
    expect(injected.metadata.annotations).toEqual({
      "kubectl.kubernetes.io/default-container": "app",
      "sidecar.istio.io/status": '{"containers":["istio-proxy"]}',
    });
    expect(isToInject(injected, namespace("enabled"))).toBe(false);
  });
});
