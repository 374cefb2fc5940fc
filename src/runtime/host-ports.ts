import { createServer } from "node:net";
import type { Pod } from "../config/pod.ts";
import { findSocketOwner, listListeningSockets, listProcesses } from "./proc.ts";

/** A port of the host that leads to a port of a pod. */
export interface HostPort {
  readonly containerPort: number;
  readonly hostIp: string;
  readonly hostPort: number;
}

/** Loopback unless the pod says otherwise: portable mode does not open ports to the network unasked. */
const HOST_IP_DEFAULT = "127.0.0.1";

/** The host ports of a pod's containers. */
export function hostPortsOf(pod: Pod): readonly HostPort[] {
  return pod.spec.containers.flatMap(({ ports = [] }) =>
    ports.flatMap(({ containerPort, hostPort, hostIP }) =>
      hostPort === undefined || hostPort === 0
        ? []
        : [{ containerPort, hostPort, hostIp: hostIP ?? HOST_IP_DEFAULT }],
    ),
  );
}

/** Whether two host ports exclude each other. */
export function isHostPortConflict(left: HostPort, right: HostPort): boolean {
  if (left.hostPort !== right.hostPort) return false;
  return left.hostIp === right.hostIp || isAll(left.hostIp) || isAll(right.hostIp);
}

/** Why a port cannot be listened on, naming who has it where that can be seen; else `undefined`. */
export async function describeTakenPort(
  address: string,
  port: number,
): Promise<string | undefined> {
  const code = await tryListen(address, port);
  if (code === undefined) return undefined;
  if (code === "EACCES") return `port ${port} needs privileges that this user does not have`;
  if (code !== "EADDRINUSE") return `cannot listen on ${address}:${port} (${code})`;
  const owner = findPortOwner(address, port);
  return owner === undefined
    ? `port ${port} is taken by another program`
    : `port ${port} is taken by process ${owner.pid} (${owner.command})`;
}

function tryListen(address: string, port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    server.listen({ host: address, port, exclusive: true }, () => {
      server.close(() => resolve(undefined));
    });
  });
}

function findPortOwner(
  address: string,
  port: number,
): { readonly pid: number; readonly command: string } | undefined {
  const socket = listListeningSockets().find(
    (candidate) =>
      candidate.port === port &&
      (candidate.address === address || isAll(candidate.address) || isAll(address)),
  );
  return socket === undefined ? undefined : findSocketOwner(socket.inode, listProcesses());
}

function isAll(address: string): boolean {
  return address === "0.0.0.0" || address === "::";
}
