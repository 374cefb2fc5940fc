import { afterEach, describe, expect, test } from "vitest";
import { findProgram } from "../programs.ts";
import { GrpcEchoClient, startGrpcEcho } from "../proxy/grpc-echo.ts";
import { GrpcWebEchoClient } from "../proxy/grpc-web-client.ts";
import { BOOKINFO, CLIENT, type MeshWorld, SERVICE_PORT, type Workload } from "./base-mesh.ts";
import { BehaviourMesh } from "./behaviour-mesh.ts";

const APPS: ReadonlySet<string> = new Set(["details", "ratings", CLIENT]);

/** A mesh where `ratings` speaks gRPC, and says so, or gRPC-Web, in the name of its port. */
const worldOf = (portName: "grpc" | "grpc-web"): MeshWorld => ({
  ...BOOKINFO,
  workloads: (block) => BOOKINFO.workloads(block).filter(({ app }) => APPS.has(app)),
  config: (block, unready) =>
    BOOKINFO.config(block, unready).replaceAll(/name: ratings[^]*?endpoints:/g, (service) =>
      service.replaceAll("name: http,", `name: ${portName},`),
    ),
  startApp: async (workload: Workload) => {
    if (workload.app !== "ratings") return BOOKINFO.startApp(workload);
    const server = await startGrpcEcho(`${workload.appAddress}:${SERVICE_PORT}`);
    return async () => server.stop();
  },
});

const envoy = findProgram("envoy");
const PLANES = [
  { plane: "weft", isThere: true, program: undefined },
  { plane: "envoy", isThere: envoy !== undefined, program: envoy },
];

describe.each(PLANES)("gRPC between sidecars of $plane", ({ isThere, program }) => {
  let mesh: BehaviourMesh | undefined;

  afterEach(() => mesh?.stop());

  test.skipIf(!isThere)("goes from an app through both to the app", async () => {
    const world = worldOf("grpc");
    mesh = await BehaviourMesh.start(program, world);
    const client = world.workloads(mesh.block).find(({ app }) => app === CLIENT);
    const calls = new GrpcEchoClient(15_002, client?.podIp, `ratings:${SERVICE_PORT}`);
    const one = await calls.call("unary", [Buffer.from("hi")], { metadata: { "x-asked": "a" } });
    expect(one).toMatchObject({ code: 0, messages: [Buffer.from("hi")] });
    expect(one.metadata).toMatchObject({ "x-told": ["a"] });
    expect(one.trailers).toMatchObject({ "x-trailer": ["t"] });
    const sent = Array.from({ length: 100 }, (_, at) => Buffer.alloc(at * 100, "x"));
    const many = await calls.call("chat", sent);
    expect(many).toMatchObject({ code: 0, messages: sent });
    const failed = await calls.call("fail", [Buffer.from("5")], { metadata: { "x-key": "mesh" } });
    expect(failed).toMatchObject({ code: 5, details: "failed 100 % with 5" });
    calls.close();
  });

  test.skipIf(!isThere)("is made of gRPC-Web where a port says that", async () => {
    const world = worldOf("grpc-web");
    mesh = await BehaviourMesh.start(program, world);
    const client = world.workloads(mesh.block).find(({ app }) => app === CLIENT);
    const web = new GrpcWebEchoClient(15_002, client?.podIp, `ratings:${SERVICE_PORT}`);
    const one = await web.call("Unary", "hi", { "x-asked": "a" });
    expect(one).toEqual({ messages: ["hi"], told: "a", trailer: "t" });
    const many = await web.call("Repeat", "hi", { "x-count": "50" });
    expect(many.messages).toHaveLength(50);
    const failed = await web.call("Fail", "5 1000000", { "x-key": "web" });
    expect(failed.error).toBe("NotFound: failed 100 % with \n\t5");
    // The same port takes gRPC as it is.
    const calls = new GrpcEchoClient(15_002, client?.podIp, `ratings:${SERVICE_PORT}`);
    const plain = await calls.call("unary", [Buffer.from("hi")]);
    expect(plain).toMatchObject({ code: 0, messages: [Buffer.from("hi")] });
    calls.close();
  });
});
