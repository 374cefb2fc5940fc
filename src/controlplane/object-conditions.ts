import { isError } from "../base/issue.ts";
import type { KubeObject, ObjectKey } from "../config/object.ts";
import { keyOf } from "../config/object.ts";
import type { StatusChange, StatusCondition, StatusMessage } from "../source/source.ts";
import type { Finding } from "./findings.ts";
import type { ObjectDistribution } from "./object-distribution.ts";

/** Most characters of one condition's message; Kubernetes refuses more than 32,768. */
const MESSAGE_CHARACTERS_MAX = 4096;

/** Most proxies whose words one condition repeats. */
const REJECTIONS_MAX = 5;

/** Most messages that one object's status keeps. */
const MESSAGES_MAX = 100;

/** What is known of an object. */
export interface ObjectFacts {
  readonly object: KubeObject;
  /** What is wrong with it, errors first. */
  readonly findings: readonly Finding[];
  /** What its source refused of its newest version, so that the one before stays in use. */
  readonly refused: readonly Finding[];
  /** Absent for kinds whose status says other things to the mesh. */
  readonly distribution: ObjectDistribution | undefined;
}

/** What an object's status is to say. */
export function buildStatusChange(facts: ObjectFacts): StatusChange {
  const { object, findings, refused, distribution } = facts;
  const { generation } = object.metadata;
  return {
    key: keyOf(object),
    // What was refused is a later version, whose number is not known here.
    ...(generation !== undefined && refused.length === 0 && { observedGeneration: generation }),
    conditions:
      distribution === undefined
        ? []
        : [reconciledCondition(findings, refused), distributedCondition(distribution)],
    validationMessages: [...refused, ...findings].slice(0, MESSAGES_MAX).map(messageOf),
  };
}

/** What the status of an object is to say that no version was good of. */
export function buildRefusedChange(key: ObjectKey, refused: readonly Finding[]): StatusChange {
  const message = cut(`${firstOf(refused)}; it is not in use`);
  return {
    key,
    conditions: [{ type: "Reconciled", status: "False", reason: "Refused", message }],
    validationMessages: refused.slice(0, MESSAGES_MAX).map(messageOf),
  };
}

/** Whether the object was read, is valid and in use. */
function reconciledCondition(
  findings: readonly Finding[],
  refused: readonly Finding[],
): StatusCondition {
  const type = "Reconciled";
  if (refused.length > 0) {
    const message = `${firstOf(refused)}; the last good version stays in use`;
    return { type, status: "False", reason: "Refused", message: cut(message) };
  }
  const errors = findings.filter(({ issue }) => isError(issue));
  if (errors.length > 0) {
    return { type, status: "False", reason: "Invalid", message: cut(firstOf(errors)) };
  }
  return { type, status: "True", reason: "Reconciled", message: "in use" };
}

/** Whether the proxies that need it have it. */
function distributedCondition(distribution: ObjectDistribution): StatusCondition {
  const { state, proxies, acked, rejections } = distribution;
  const type = "Distributed";
  const count = `${acked}/${proxies} proxies`;
  switch (state) {
    case "Rejected": {
      const said = rejections
        .slice(0, REJECTIONS_MAX)
        .map(({ proxy, message }) => `Rejected by ${proxy}: ${message}`);
      const more = rejections.length - said.length;
      const rest = more > 0 ? [`and by ${more} more`] : [];
      const message = cut([...said, ...rest, count].join("; "));
      return { type, status: "False", reason: "Rejected", message };
    }
    case "Pending":
      return { type, status: "False", reason: "Pending", message: count };
    case "NoProxies":
      return { type, status: "Unknown", reason: "NoProxies", message: "no proxy is connected" };
    case "NotUsed": {
      const message = `${count}: none that is connected has anything of it`;
      return { type, status: "True", reason: "NotUsed", message };
    }
    case "Distributed":
      return { type, status: "True", reason: "Distributed", message: count };
  }
}

function messageOf({ issue }: Finding): StatusMessage {
  const { path, message } = issue;
  return { level: isError(issue) ? "ERROR" : "WARNING", path, message: cut(message) };
}

function firstOf([first, ...others]: readonly Finding[]): string {
  const { path = "", message = "" } = first?.issue ?? {};
  const text = path === "" ? message : `${path}: ${message}`;
  return others.length === 0 ? text : `${text} (and ${others.length} more)`;
}

function cut(text: string): string {
  return text.length > MESSAGE_CHARACTERS_MAX
    ? `${text.slice(0, MESSAGE_CHARACTERS_MAX - 3)}...`
    : text;
}
