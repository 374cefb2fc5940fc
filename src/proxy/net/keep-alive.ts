import type { Socket } from "node:net";
import { loadCLibrary } from "./c-library.ts";

/** When a silent peer is asked whether it is still there, and for how long. */
export interface KeepAlive {
  /** Seconds of silence before the first probe. */
  readonly idleS: number;
  /** Seconds between probes. */
  readonly intervalS: number;
  /** How many go unanswered before the connection is given up. */
  readonly probes: number;
}

/** What libuv sets for every socket that is kept alive, whatever the system's own settings are. */
export const NODE_PACE = { intervalS: 1, probes: 10 } as const;

/** From Linux' headers: `in.h`, `tcp.h`. */
const IPPROTO_TCP = 6;
const TCP_KEEPINTVL = 5;
const TCP_KEEPCNT = 6;

type SetOption = (fd: number, name: number, value: number) => number;

let setOption: SetOption | undefined;

function loadSetOption(): SetOption | undefined {
  if (setOption !== undefined) return setOption;
  const native = loadCLibrary()?.func(
    "int setsockopt(int fd, int level, int name, uint8_t *value, uint32_t length)",
  );
  if (native === undefined) return undefined;
  setOption = (fd, name, value) => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32LE(value);
    return native(fd, IPPROTO_TCP, name, bytes, bytes.length);
  };
  return setOption;
}

/** Whether probes may come at another pace than Node's: only with koffi, and on Linux. */
export function canSetPace(): boolean {
  return loadSetOption() !== undefined;
}

/** Has the system probe the peer of a connected socket, below its TLS where it has any. */
export function keepAlive(socket: Socket, { idleS, intervalS, probes }: KeepAlive): void {
  socket.setKeepAlive(true, idleS * 1000);
  if (intervalS === NODE_PACE.intervalS && probes === NODE_PACE.probes) return;
  const fd = descriptorOf(socket);
  const set = loadSetOption();
  if (fd === undefined || set === undefined) return;
  set(fd, TCP_KEEPINTVL, intervalS);
  set(fd, TCP_KEEPCNT, probes);
}

interface Handle {
  readonly fd?: number;
  /** What TLS stands on. */
  readonly _parent?: Handle;
}

function descriptorOf(socket: Socket): number | undefined {
  const { _handle: handle } = socket as Socket & { readonly _handle?: Handle | null };
  const fd = handle?._parent?.fd ?? handle?.fd;
  return fd === undefined || fd < 0 ? undefined : fd;
}
