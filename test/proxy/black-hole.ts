import { spawn } from "node:child_process";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { until } from "../controlplane/until.ts";
import { destroy } from "./both-planes.ts";
import { freePorts } from "./data-plane.ts";

/** How a program or a socket that a test started ends. */
type Closers = (() => unknown)[];

/** Runs a program until the test ends; what it said first. It may be stopped where it is then. */
export async function startProgram(
  program: string,
  closers: Closers,
  isStopped = false,
): Promise<string> {
  const child = spawn(process.execPath, ["-e", program], { stdio: ["ignore", "pipe", "ignore"] });
  closers.push(async () => {
    const exit = once(child, "exit");
    child.kill("SIGKILL");
    await exit;
  });
  const [said] = (await once(child.stdout, "data")) as [Buffer];
  if (isStopped) child.kill("SIGSTOP");
  return said.toString();
}

/** A port where nobody answers: its queue of connections is full, and nobody takes from it. */
export async function startBlackHole(closers: Closers): Promise<number> {
  const [port = 0] = await freePorts(1);
  const program = `require("node:net").createServer().listen({host:"127.0.0.1",port:${port},backlog:1},()=>process.stdout.write("up"))`;
  await startProgram(program, closers, true);
  const fillers: Socket[] = [];
  closers.push(() => Promise.all(fillers.map(destroy)));
  await until(async () => {
    const filler = connect(port, "127.0.0.1");
    filler.on("error", () => undefined);
    fillers.push(filler);
    await new Promise((resolve) => {
      filler.once("connect", resolve);
      setTimeout(resolve, 100);
    });
    return filler.connecting;
  }, "the queue to be full");
  return port;
}
