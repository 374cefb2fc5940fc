import * as childProcess from "node:child_process";
import type { Socket } from "node:net";
import type { ChannelEnd } from "./peer-channel.ts";

/** What Node makes of a file descriptor that a parent process left it (`NODE_CHANNEL_FD`). */
type ForkChild = (fd: number, serialization: "advanced") => void;

/**
 * A channel that carries handles, over a Unix socket that is connected and was not read from. Only
 * one can stand at a time: Node's own channel to a parent process is the same thing.
 *
 * Listening sockets go to another process as ancillary data (SCM_RIGHTS), which Node does on such
 * channels only, and between processes that did not start each other it documents no way to one. So
 * this rests on `_forkChild`, with which Node makes that of a child process at its start; where it is
 * missing this throws.
 */
export function openUnixChannel(socket: Socket): ChannelEnd {
  const { _forkChild: forkChild } = childProcess as unknown as { _forkChild?: ForkChild };
  const { fd = -1 } = (socket as Socket & { _handle?: { readonly fd: number } })._handle ?? {};
  if (forkChild === undefined || fd < 0) {
    throw new Error("this Node.js cannot hand sockets over: start with --disable-hot-restart");
  }
  if (process.connected) {
    throw new Error(
      "this process has a channel to another one (was it started with fork?): start it with spawn, or with --disable-hot-restart",
    );
  }
  // Node expects to do this once; so it can be done again for the process after next.
  process.removeAllListeners("internalMessage");
  Object.defineProperty(process, "_channel", {
    configurable: true,
    get: () => process.channel,
    set() {
      // It is only another name of `process.channel`.
    },
  });
  forkChild(fd, "advanced");
  // The descriptor is the channel's now, which closes it; the socket must not.
  socket.unref();
  return process as unknown as ChannelEnd;
}
