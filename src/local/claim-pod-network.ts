import { createHash } from "node:crypto";
import { createServer } from "node:net";
import { parsePodCidr } from "../runtime/pod-network.ts";
import { MeshError } from "./mesh-error.ts";

/** 127.64.0.0/16 to 127.127.0.0/16, away from what other programs use of loopback. */
const BLOCK_FIRST = 64;
const BLOCKS = 64;
/** Whoever listens here, on the first address of a network, has it. */
const CLAIM_PORT = 15_999;

/** A /16 of loopback that no other mesh on this machine uses. */
export interface PodNetworkClaim {
  readonly cidr: string;
  release(): Promise<void>;
}

/**
 * Takes a network for the pods of a home: the one that its path leads to, or the next that is free.
 * A network that was asked for is taken or refused, with a `MeshError`.
 */
export async function claimPodNetwork(home: string, forced?: string): Promise<PodNetworkClaim> {
  if (forced !== undefined) {
    if (parsePodCidr(forced) === undefined) {
      throw new MeshError(
        `--pod-cidr ${forced}: must be a /16 of 127.0.0.0/8 other than the first, for example 127.64.0.0/16`,
      );
    }
    const claim = await tryClaim(forced);
    if (claim !== undefined) return claim;
    throw new MeshError(`--pod-cidr ${forced}: another mesh on this machine uses it`);
  }
  const first = createHash("sha256").update(home).digest().readUInt32BE(0);
  for (let step = 0; step < BLOCKS; step++) {
    const claim = await tryClaim(`127.${BLOCK_FIRST + ((first + step) % BLOCKS)}.0.0/16`);
    if (claim !== undefined) return claim;
  }
  throw new MeshError(
    "all pod networks, 127.64.0.0/16 to 127.127.0.0/16, are in use: see --pod-cidr",
  );
}

function tryClaim(cidr: string): Promise<PodNetworkClaim | undefined> {
  const host = cidr.replace(/\.0\/16$/, ".1");
  const server = createServer((socket) => socket.destroy());
  return new Promise((resolve) => {
    server.once("error", () => resolve(undefined));
    server.listen({ host, port: CLAIM_PORT, exclusive: true }, () => {
      resolve({
        cidr,
        release: () => new Promise((done) => server.close(() => done())),
      });
    });
  });
}
