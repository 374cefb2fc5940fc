import { keyText } from "../config/object.ts";
import type { CommandIo } from "./command.ts";
import { type Monitoring, PageError, readPage } from "./monitoring-client.ts";
import type { WaitObject } from "./wait-objects.ts";
import type { WaitLook } from "./wait-poll.ts";

/** Most objects that one request asks for, so that its line stays short. */
const OBJECTS_PER_REQUEST = 50;

/** How far one object has come, as `/debug/distribution` has it. */
interface DistributionAnswer {
  readonly state: "Distributed" | "Pending" | "Rejected" | "NotUsed" | "NoProxies";
  readonly isKnown: boolean;
  readonly generation?: number;
  readonly proxies: number;
  readonly acked: number;
  readonly rejections: readonly { readonly proxy: string; readonly message: string }[];
  readonly laggards: readonly Laggard[];
}

interface Laggard {
  readonly proxy: string;
  readonly type: string;
  readonly state: string;
  readonly sinceMs: number;
  readonly reason: string;
  readonly resources: readonly string[];
}

/** An object, and the version of it that is waited for. */
export interface WaitVersion extends WaitObject {
  /** Absent: whichever the control plane has. */
  readonly generation?: number;
}

/** Whom to ask, and about which proxy. */
export interface DistributionQuestion {
  readonly monitoring: Monitoring;
  /** `pod.namespace`; absent: all. */
  readonly proxy: string | undefined;
  readonly io: CommandIo;
}

/** What is said of an object that the control plane does not know. */
export const NOT_READ = "the control plane has not read it";

/** How far some objects have come, or with `isForDelete`, what is left of them. */
export async function lookAtDistribution(
  waiting: readonly WaitVersion[],
  question: DistributionQuestion,
  isForDelete: boolean,
): Promise<ReadonlyMap<WaitVersion, WaitLook>> {
  const found = new Map<WaitVersion, WaitLook>();
  for (let at = 0; at < waiting.length; at += OBJECTS_PER_REQUEST) {
    const some = waiting.slice(at, at + OBJECTS_PER_REQUEST);
    const answers = await ask(some, question);
    for (const [index, one] of some.entries()) {
      const answer = answers === "no such proxy" ? undefined : answers[index];
      if (answer === undefined) {
        const text = `proxy ${question.proxy ?? ""} is not connected`;
        found.set(one, { state: "waiting", text });
      } else {
        found.set(one, isForDelete ? lookAtRest(answer) : lookAtAnswer(answer, one.generation));
      }
    }
  }
  return found;
}

async function ask(
  objects: readonly WaitObject[],
  { monitoring, proxy, io }: DistributionQuestion,
): Promise<readonly DistributionAnswer[] | "no such proxy"> {
  const query = new URLSearchParams();
  for (const { key } of objects) query.append("object", keyText(key));
  if (proxy !== undefined) query.set("proxy", proxy);
  try {
    const text = await readPage(monitoring, `/debug/distribution?${query.toString()}`, io.signal);
    return JSON.parse(text) as readonly DistributionAnswer[];
  } catch (error) {
    if (proxy !== undefined && error instanceof PageError && error.status === 404) {
      return "no such proxy";
    }
    throw error;
  }
}

function lookAtAnswer(answer: DistributionAnswer, wanted: number | undefined): WaitLook {
  const { state, isKnown, generation, acked, proxies, rejections } = answer;
  const count = `${acked}/${proxies} proxies have it`;
  if (!isKnown) return { state: "waiting", text: NOT_READ };
  if (wanted !== undefined && generation !== undefined && generation < wanted) {
    const text = `the control plane has generation ${generation}, not ${wanted}`;
    return { state: "waiting", text };
  }
  switch (state) {
    case "Rejected": {
      const words = rejections.map(({ proxy, message }) => `\n  rejected by ${proxy}: ${message}`);
      return { state: "failed", text: `will not be distributed, ${count}:${words.join("")}` };
    }
    case "Pending":
      return { state: "waiting", text: `${count}${laggardLines(answer.laggards)}` };
    case "NotUsed":
      return {
        state: "done",
        text: "is distributed: no proxy that is connected has anything of it",
      };
    case "NoProxies":
      return { state: "done", text: "is distributed: no proxy is connected" };
    case "Distributed":
      return { state: "done", text: `is distributed (${acked}/${proxies} proxies)` };
  }
}

/** What is left of an object that is to be gone. */
function lookAtRest({ isKnown, state, proxies, acked, laggards }: DistributionAnswer): WaitLook {
  if (isKnown) return { state: "waiting", text: "the control plane still has it" };
  if (state === "Pending" || state === "Rejected") {
    const text = `${proxies - acked} proxies still have something of it${laggardLines(laggards)}`;
    return { state: "waiting", text };
  }
  return { state: "done", text: "is gone from all proxies" };
}

function laggardLines(laggards: readonly Laggard[]): string {
  return laggards
    .map(({ proxy, type, state, sinceMs, reason, resources }) => {
      const about = resources.length === 0 ? "" : ` (${resources.join(", ")})`;
      const since = new Date(sinceMs).toISOString();
      return `\n  ${proxy}: ${type.toUpperCase()} ${state} since ${since}: ${reason}${about}`;
    })
    .join("");
}
