import { type DescMessage, fromBinary, type Message, type MessageShape } from "@bufbuild/protobuf";
import { formatIssue, type Result } from "../base/issue.ts";
import type { Rejection, ResourceUpdate } from "../xdsclient/resource-type.ts";
import { checkRules } from "./check-rules.ts";
import { readText } from "./decode/split-message.ts";

/** A resource, decoded; nothing has been changed yet. */
export interface Prepared<T> {
  readonly name: string;
  readonly value: T;
}

/** What an update comes to: what can be taken, what cannot, and what is held already. */
export interface PreparedUpdate<T> {
  readonly prepared: readonly Prepared<T>[];
  readonly rejections: Rejection[];
  /** Every name that the update brought, in whatever form. */
  readonly names: ReadonlySet<string>;
}

/** A body whose name is known, and what it is when somebody asks. */
export interface Named<T> {
  readonly name: string;
  /** `undefined`: it is held, byte by byte, and nothing need be done. */
  decode(): Result<T> | undefined;
}

/** Only of virtual hosts a server may say that there are none. */
export const NO_BODY = "has no resource in it";

/** A resource must be called what it calls itself: by that name it is removed. */
export function otherName(name: string, inside: string): string {
  return `is called "${inside}" inside, send it as "${inside}" or rename it to "${name}"`;
}

/**
 * Decodes every body; what is wrong is said by name, and the rest goes on (prepare, then apply).
 * `read` throws for a body that is no message.
 */
export function prepareBodies<T>(
  { typeName }: DescMessage,
  { resources }: ResourceUpdate,
  read: (body: Uint8Array) => Named<T>,
): PreparedUpdate<T> {
  const prepared: Prepared<T>[] = [];
  const rejections: Rejection[] = [];
  const names = new Set<string>();
  for (const { name: given, body } of resources) {
    let name = given;
    const reject = (reason: string): void => {
      names.add(name);
      rejections.push({ name, reason });
    };
    if (body === undefined) {
      reject(NO_BODY);
      continue;
    }
    try {
      const named = read(body);
      if (given !== "" && named.name !== given) {
        reject(otherName(given, named.name));
        continue;
      }
      name = named.name;
      if (names.has(name)) {
        reject(`duplicate resource ${name} found`);
        continue;
      }
      names.add(name);
      const decoded = named.decode();
      if (decoded === undefined) continue;
      if (decoded.ok) prepared.push({ name, value: decoded.value });
      else reject(decoded.issues.map(formatIssue).join(", "));
    } catch (error) {
      const cause = error instanceof Error ? error.message : String(error);
      reject(`cannot decode ${typeName}: ${cause}`);
    }
  }
  return { prepared, rejections, names };
}

/** How resources that are decoded as a whole are read. */
export interface WholeReader<Desc extends DescMessage, T> {
  readonly schema: Desc;
  /** The number of the field that is the name. */
  readonly nameField: number;
  /** What is held under a name, encoded. */
  readonly heldBody: (name: string) => Uint8Array | undefined;
  readonly decode: (message: MessageShape<Desc>, body: Uint8Array) => Result<T>;
}

/** The same for resources that are decoded as a whole: those that are held are not. */
export function prepareAll<Desc extends DescMessage, T>(
  update: ResourceUpdate,
  { schema, nameField, heldBody, decode }: WholeReader<Desc, T>,
): PreparedUpdate<T> {
  return prepareBodies(schema, update, (body) => {
    const name = readText(body, nameField);
    return {
      name,
      decode: () => {
        const held = heldBody(name);
        if (held !== undefined && Buffer.compare(held, body) === 0) return undefined;
        const message = fromBinary(schema, body);
        return keepRules(decode(message, body), schema, message);
      },
    };
  });
}

/** What was decoded, unless it breaks a rule of its .proto file. */
function keepRules<T>(decoded: Result<T>, schema: DescMessage, message: Message): Result<T> {
  if (!decoded.ok) return decoded;
  const issues = checkRules(schema, message, "");
  return issues.length > 0 ? { ok: false, issues } : decoded;
}

/**
 * The names that an update takes away from those that are held. One that says everything and holds
 * bytes which nobody can read takes nothing away: they may have been any of the held ones.
 */
export function namesGone(
  held: ReadonlySet<string>,
  { isWhole, removed }: ResourceUpdate,
  named: ReadonlySet<string>,
): readonly string[] {
  if (!isWhole) return removed.filter((name) => held.has(name));
  if (named.has("")) return [];
  return [...held].filter((name) => !named.has(name));
}
