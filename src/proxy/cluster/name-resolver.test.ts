import { describe, expect, test } from "vitest";
import type { LookupFamily } from "./cluster-config.ts";
import { candidates, resolveFamily, searchList, serversToAsk } from "./name-resolver.ts";

describe("resolveFamily()", () => {
  /** What a name server says: addresses, or that it does not know. */
  async function ask(
    family: LookupFamily,
    says: { readonly 4: string[] | undefined; readonly 6: string[] | undefined },
  ): Promise<readonly string[] | "failed"> {
    try {
      const found = await resolveFamily(family, "a", (_name, version) => {
        const addresses = says[version];
        if (addresses === undefined) return Promise.reject(new Error("SERVFAIL"));
        return Promise.resolve(addresses.map((address) => ({ address, ttlS: 0 })));
      });
      return found.map(({ address }) => address);
    } catch {
      return "failed";
    }
  }

  test("asks for the other family where the first has nothing or fails", async () => {
    expect(await ask("AUTO", { 4: ["1.1.1.1"], 6: [] })).toEqual(["1.1.1.1"]);
    expect(await ask("AUTO", { 4: ["1.1.1.1"], 6: undefined })).toEqual(["1.1.1.1"]);
    expect(await ask("V4_PREFERRED", { 4: undefined, 6: ["::1"] })).toEqual(["::1"]);
    expect(await ask("AUTO", { 4: undefined, 6: [] })).toBe("failed");
    expect(await ask("AUTO", { 4: [], 6: undefined })).toBe("failed");
    expect(await ask("V4_PREFERRED", { 4: undefined, 6: [] })).toBe("failed");
    expect(await ask("V4_PREFERRED", { 4: [], 6: [] })).toEqual([]);
  });

  test("takes what one family has when the other fails, and fails with nothing", async () => {
    expect(await ask("ALL", { 4: undefined, 6: ["::1"] })).toEqual(["::1"]);
    expect(await ask("ALL", { 4: undefined, 6: [] })).toBe("failed");
    expect(await ask("ALL", { 4: [], 6: [] })).toEqual([]);
  });
});

describe("candidates()", () => {
  const list = searchList([
    ["domain", "x"],
    ["search", "a.test", "test"],
    ["options", "ndots:2"],
  ]);

  test("are the name with every domain, and the name itself first when it has dots enough", () => {
    expect(candidates("one", list)).toEqual(["one.a.test", "one.test", "one"]);
    expect(candidates("one.b.c", list)).toEqual(["one.b.c", "one.b.c.a.test", "one.b.c.test"]);
    expect(candidates("one.", list)).toEqual(["one"]);
    expect(candidates("one", searchList([]))).toEqual(["one"]);
  });
});

describe("serversToAsk()", () => {
  const given = ["127.0.0.1:1053"];
  const config = { servers: given, areFallback: false, searches: true, skipsUnroutable: false };

  test("are those that are given, or those that the machine has where that is wished", () => {
    expect(serversToAsk(config, ["127.0.0.9"])).toEqual(given);
    expect(serversToAsk({ ...config, servers: [] }, ["127.0.0.9"])).toBeUndefined();
    const fallback = { ...config, areFallback: true };
    expect(serversToAsk(fallback, ["127.0.0.9"])).toBeUndefined();
    expect(serversToAsk(fallback, ["127.0.0.1"])).toEqual(given);
    expect(serversToAsk(fallback, [])).toEqual(given);
  });
});
