import { get } from "node:http";
import { connect } from "node:net";
import { findSocketOwner, groupMembers, listListeningSockets } from "./proc.ts";

const TIMEOUT_MS = 1_000;

/** Whether something accepts TCP there. */
export function acceptsTcp(address: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port, timeout: TIMEOUT_MS });
    const end = (isAccepted: boolean): void => {
      socket.destroy();
      resolve(isAccepted);
    };
    socket.once("connect", () => end(true));
    socket.once("error", () => end(false));
    socket.once("timeout", () => end(false));
  });
}

/** Whether a GET there is answered with 200. */
export function answersOk(address: string, port: number, path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const request = get({ host: address, port, path, agent: false, timeout: TIMEOUT_MS });
    request.once("response", (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    request.once("timeout", () => request.destroy());
    request.once("error", () => resolve(false));
    request.once("close", () => resolve(false));
  });
}

/**
 * The port, among those that pods use, on which a process of the group listens on all addresses,
 * and so takes it from every pod; `undefined` when there is none.
 */
export function findAllAddressesPort(
  groupId: number,
  podPorts: ReadonlySet<number>,
): number | undefined {
  const sockets = listListeningSockets().filter(
    ({ address, port }) => (address === "0.0.0.0" || address === "::") && podPorts.has(port),
  );
  if (sockets.length === 0) return undefined;
  const members = groupMembers(groupId);
  return sockets.find(({ inode }) => findSocketOwner(inode, members) !== undefined)?.port;
}
