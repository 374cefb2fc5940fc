import { once } from "node:events";
import { connect } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { until } from "../controlplane/until.ts";
import { filter, listenerOf, socketAddress } from "./bootstrap-json.ts";
import { BothPlanes, converse, destroy } from "./both-planes.ts";

const LIMIT = "network.connection_limit.v3.ConnectionLimit";

const RBAC = "network.rbac.v3.RBAC";
const ECHO = filter("network.echo.v3.Echo", {});

function policy(principal: object, permission: object = { any: true }): object {
  return { permissions: [permission], principals: [principal] };
}

const LOOPBACK = { direct_remote_ip: { address_prefix: "127.0.0.0", prefix_len: 8 } };
const FOREIGN = { direct_remote_ip: { address_prefix: "10.0.0.0", prefix_len: 8 } };

/** By listener: the rules, and whether an echo answers. */
const RULES = {
  allowed: { rules: { action: "ALLOW", policies: { local: policy(LOOPBACK) } } },
  foreign: { rules: { action: "ALLOW", policies: { "not here": policy(FOREIGN) } } },
  denied: { rules: { action: "DENY", policies: { "no body": policy({ any: true }) } } },
  nobody: { rules: {} },
  open: {},
  shadow: {
    shadow_rules: { action: "DENY", policies: { all: policy({ any: true }) } },
    shadow_rules_stat_prefix: "dry",
  },
  again: {
    rules: { action: "ALLOW", policies: { local: policy(LOOPBACK) } },
    enforcement_type: "CONTINUOUS",
  },
} as const;

const rbacNames = Object.keys(RULES) as (keyof typeof RULES)[];
const listeners = [
  "limited",
  "delayed",
  "unlimited",
  "answers",
  "echoes",
  "none",
  ...rbacNames,
] as const;
type Name = (typeof listeners)[number];

function rbacFilters(): Record<keyof typeof RULES, readonly object[]> {
  const of = (name: keyof typeof RULES): readonly object[] => [
    filter(RBAC, { stat_prefix: `${name}.`, ...RULES[name] }),
    ECHO,
  ];
  return {
    allowed: of("allowed"),
    foreign: of("foreign"),
    denied: of("denied"),
    nobody: of("nobody"),
    open: of("open"),
    shadow: of("shadow"),
    again: of("again"),
  };
}

const FILTERS: Readonly<Record<Name, readonly object[]>> = {
  limited: [
    filter(LIMIT, { stat_prefix: "limited", max_connections: 1 }),
    filter("network.echo.v3.Echo", {}),
  ],
  delayed: [
    filter(LIMIT, { stat_prefix: "delayed", max_connections: 1, delay: "0.2s" }),
    filter("network.echo.v3.Echo", {}),
  ],
  unlimited: [
    filter(LIMIT, {
      stat_prefix: "unlimited",
      max_connections: 1,
      runtime_enabled: { default_value: false, runtime_key: "limits" },
    }),
    filter("network.echo.v3.Echo", {}),
  ],
  answers: [filter("network.direct_response.v3.Config", { response: { inline_string: "hello" } })],
  echoes: [filter("network.echo.v3.Echo", {})],
  none: [],
  ...rbacFilters(),
};

const both = new BothPlanes<Name>();

beforeAll(() =>
  both.start(listeners, (ports) => ({
    admin: { address: socketAddress(ports.admin) },
    static_resources: {
      listeners: listeners.map((name) => listenerOf(name, ports[name], FILTERS[name])),
    },
  })),
);

afterAll(() => both.stop());

describe("network filters do as Envoy's do", () => {
  test("echo gives back what comes", async () => {
    const send = `${"x".repeat(100_000)}.`;
    const { weft, envoy } = await both.each(({ ports }) =>
      converse({ to: { port: ports.echoes }, send, enough: "." }),
    );
    expect(weft.got === send && weft.end).toBe("open");
    expect(envoy.got === send && envoy.end).toBe("open");
  });

  test("direct_response speaks and closes", async () => {
    const { weft, envoy } = await both.each(({ ports }) =>
      converse({ to: { port: ports.answers } }),
    );
    expect(weft).toEqual({ got: "hello", end: "closed" });
    expect(weft).toEqual(envoy);
  });

  test("a chain without filters closes", async () => {
    const { weft, envoy } = await both.each(({ ports }) => converse({ to: { port: ports.none } }));
    expect(weft).toEqual({ got: "", end: "closed" });
    expect(weft).toEqual(envoy);
  });

  test.each(["limited", "delayed"] as const)(
    "connection_limit refuses one too many: %s",
    async (name) => {
      const { weft, envoy } = await both.each(async ({ ports, stats }) => {
        const first = connect({ port: ports[name] });
        first.write("a");
        await once(first, "data");
        const refused = await converse({ to: { port: ports[name] }, enough: "never" });
        await destroy(first);
        const prefix = `connection_limit.${name}`;
        await until(
          async () => (await stats(prefix))[`${prefix}.active_connections`] === 0,
          "no connection",
        );
        const after = await converse({ to: { port: ports[name] }, send: "b", enough: "b" });
        await until(
          async () => (await stats(prefix))[`${prefix}.active_connections`] === 0,
          "no connection",
        );
        return { refused, after, stats: await stats(prefix) };
      });
      expect(weft).toEqual(envoy);
      expect(weft.refused.got).toBe("");
      expect(weft.after.got).toBe("b");
      expect(weft.stats[`connection_limit.${name}.limited_connections`]).toBe(1);
    },
  );

  test("connection_limit that is switched off lets all through", async () => {
    const { weft, envoy } = await both.each(async ({ ports }) => {
      const first = connect({ port: ports.unlimited });
      first.write("a");
      await once(first, "data");
      const second = await converse({ to: { port: ports.unlimited }, send: "b", enough: "b" });
      await destroy(first);
      return second;
    });
    expect(weft.got).toBe("b");
    expect(weft).toEqual(envoy);
  });

  test.each(rbacNames)("rbac decides when bytes come: %s", async (name) => {
    const { weft, envoy } = await both.each(async ({ ports, stats }) => {
      const { got, end } = await converse({ to: { port: ports[name] }, send: "a", enough: "a" });
      return { got, end, stats: await stats(`${name}.rbac.`) };
    });
    expect(weft).toEqual(envoy);
    expect(weft.got).toBe(["foreign", "denied", "nobody"].includes(name) ? "" : "a");
  });
});
