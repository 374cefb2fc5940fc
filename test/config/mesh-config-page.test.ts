import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import {
  MESH_CONFIG_SUPPORT,
  PROXY_CONFIG_SUPPORT,
  type Support,
} from "../../src/model/mesh-config-support.ts";

const page = readFileSync(new URL("../../docs/mesh-config.md", import.meta.url), "utf8");
const [meshPart = "", proxyPart = ""] = page.split("## `defaultConfig`");

/** What the tables of a part say, by field. */
function rowsOf(part: string): ReadonlyMap<string, string> {
  const rows = part.matchAll(/^\| `(\w+)` \| (.+) \|$/gm);
  return new Map([...rows].map(([, field = "", text = ""]) => [field, text]));
}

describe("docs/mesh-config.md", () => {
  it.each<[string, Readonly<Record<string, Support>>]>([
    [meshPart, MESH_CONFIG_SUPPORT],
    [proxyPart, PROXY_CONFIG_SUPPORT],
  ])("has a row for every field, with the reason where it does nothing", (part, support) => {
    const rows = rowsOf(part);
    expect([...rows.keys()].sort()).toEqual(Object.keys(support).sort());
    const reasons = Object.entries(support).flatMap(([field, one]) =>
      one === true ? [] : [[field, one.why]],
    );
    expect(reasons.map(([field = ""]) => [field, rows.get(field)])).toEqual(reasons);
  });
});
