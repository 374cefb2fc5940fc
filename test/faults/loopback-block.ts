import { createServer } from "node:net";

/** Above the blocks that the tests of behaviour and `weft up` take at the same time. */
const BLOCK_FIRST = 230;
const BLOCKS = 20;

/** Who binds this one has the block. */
const PORT = 15_000;

/** The first numbers of a /24 of 127.0.0.0/8 that nobody uses, as `127.230.17`. */
export async function freeSubnet(): Promise<string> {
  for (let tried = 0; tried < BLOCKS * 255; tried++) {
    const at = (process.pid * 7 + tried) % (BLOCKS * 255);
    const subnet = `127.${BLOCK_FIRST + (at % BLOCKS)}.${Math.floor(at / BLOCKS)}`;
    if (await canListen(`${subnet}.10`)) return subnet;
  }
  throw new Error("no subnet of loopback addresses is free");
}

function canListen(host: string): Promise<boolean> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once("error", () => resolve(false));
    server.listen(PORT, host, () => server.close(() => resolve(true)));
  });
}
