import { once } from "node:events";
import { connect } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { DebugServer, textPage } from "../../src/controlplane/debug-server.ts";

let server: DebugServer;

beforeEach(async () => {
  server = new DebugServer({ "/ready": () => textPage("ready\n") });
  await server.start("127.0.0.1:0");
});
afterEach(() => server.stop());

describe("DebugServer", () => {
  it.each([
    ["GET /ready", "200 OK"],
    ["GET /ready?x=%zz", "200 OK"],
    ["GET /nothing", "404 Not Found"],
    ["POST /ready", "405 Method Not Allowed"],
    ["GET //", "400 Bad Request"],
    ["GET http://[", "400 Bad Request"],
    ["GET //ready:x/", "400 Bad Request"],
  ])("answers %s with %s", async (line, status) => {
    const socket = connect(server.port, "127.0.0.1");
    await once(socket, "connect");
    socket.write(`${line} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n`);
    let text = "";
    for await (const chunk of socket) text += String(chunk);
    expect(text.split("\r\n", 1)[0]).toBe(`HTTP/1.1 ${status}`);
  });
});
