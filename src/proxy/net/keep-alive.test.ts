import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { describe, expect, test } from "vitest";
import { loadCLibrary } from "./c-library.ts";
import { canSetPace, keepAlive } from "./keep-alive.ts";

const SOL_SOCKET = 1;
const SO_KEEPALIVE = 9;
const IPPROTO_TCP = 6;
const TCP_OPTIONS = { idleS: 4, intervalS: 5, probes: 6 } as const;

function optionOf(socket: Socket, level: number, name: number): number {
  const { _handle: handle } = socket as unknown as { readonly _handle: { readonly fd: number } };
  const value = Buffer.alloc(4);
  loadCLibrary()?.func(
    "int getsockopt(int fd, int level, int name, _Out_ uint8_t *value, _Inout_ uint32_t *length)",
  )(handle.fd, level, name, value, [4]);
  return value.readUInt32LE();
}

// Without koffi nobody can read it either.
describe.skipIf(!canSetPace())("keepAlive()", () => {
  test.each([
    { idleS: 60, intervalS: 1, probes: 10 },
    { idleS: 7, intervalS: 75, probes: 9 },
    { idleS: 7200, intervalS: 32_767, probes: 127 },
  ])("sets %o", async (settings) => {
    const server = createServer((socket) => socket.unref()).listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    const socket = connect({ port, host: "127.0.0.1" });
    await once(socket, "connect");
    keepAlive(socket, settings);
    expect(optionOf(socket, SOL_SOCKET, SO_KEEPALIVE)).toBe(1);
    for (const [name, option] of Object.entries(TCP_OPTIONS)) {
      const value = settings[name as keyof typeof settings];
      expect(optionOf(socket, IPPROTO_TCP, option)).toBe(value);
    }
    socket.destroy();
    server.close();
  });
});
