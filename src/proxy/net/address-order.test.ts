import { expect, test } from "vitest";
import { type AddressOrder, orderAddresses } from "./address-order.ts";

const cases: readonly (readonly [from: string, order: AddressOrder, to: string])[] = [
  ["1 2 a b", { firstFamily: "DEFAULT", firstCount: 1 }, "1 a 2 b"],
  ["a 1 2 b", { firstFamily: "DEFAULT", firstCount: 1 }, "a 1 b 2"],
  ["a 1 2 b", { firstFamily: "V4", firstCount: 1 }, "1 a 2 b"],
  ["1 2 3 a b", { firstFamily: "V6", firstCount: 1 }, "a 1 b 2 3"],
  ["a b 1 2 3 4", { firstFamily: "V4", firstCount: 2 }, "1 2 a 3 4 b"],
  ["1 2 3", { firstFamily: "V6", firstCount: 2 }, "1 2 3"],
  ["a b", { firstFamily: "V4", firstCount: 5 }, "a b"],
  ["1 2 3 a", { firstFamily: "DEFAULT", firstCount: 4_294_967_295 }, "1 2 3 a"],
];

test.each(cases)("%s, %o: %s", (from, order, to) => {
  const addresses = from.split(" ").map((name) => {
    return { name, address: /\d/.test(name) ? `127.0.0.${name}` : `::${name}` };
  });
  const ordered = orderAddresses(addresses, order).map(({ name }) => name);
  expect(ordered.join(" ")).toBe(to);
});
