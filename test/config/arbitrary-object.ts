import fc from "fast-check";
import type { Schema } from "../../src/config/schema.ts";

/** Texts that mean something somewhere in a mesh's configuration, and some that mean trouble. */
const TEXTS = [
  "",
  "*",
  ".",
  "~",
  "/",
  "a/b",
  "*/*",
  "*.example.com",
  "reviews.default.svc.cluster.local",
  "10.0.0.0/8",
  "fd00::1",
  "0s",
  "1.5s",
  "-1h",
  "%REQ(x)%",
  "%",
  "(a|b)*",
  "(",
  "mesh",
  "HTTP",
  "TLS",
  "__proto__",
  "constructor",
  "unix:///x",
  "\u0000\ud800",
];

const DEPTH_MAX = 12;

/** Values of the form that a schema asks for, and now and then of another. */
export function arbitraryOf(schema: Schema, depth = 0): fc.Arbitrary<unknown> {
  const asked = depth > DEPTH_MAX ? fc.constant({}) : arbitraryOfType(schema, depth);
  return fc.oneof({ weight: 200, arbitrary: asked }, { weight: 1, arbitrary: fc.jsonValue() });
}

function arbitraryOfType(schema: Schema, depth: number): fc.Arbitrary<unknown> {
  if (schema["x-weft-not-built"] === true) return fc.jsonValue();
  if (schema.enum !== undefined) return fc.constantFrom(...schema.enum);
  switch (schema.type) {
    case "object":
      return arbitraryFields(schema, depth);
    case "array":
      return fc.array(arbitraryOf(schema.items ?? {}, depth + 1), { maxLength: 3 });
    case "string":
      if (schema.format?.endsWith("duration") === true) return fc.constantFrom("1.5s", "0s", "1ms");
      if (schema.format === "byte") return fc.constant("YQ==");
      return fc.oneof(fc.constantFrom(...TEXTS), fc.string({ unit: "binary", maxLength: 12 }));
    case "integer":
      return fc.oneof(
        fc.constantFrom(0, 1, 80, 101, 503, 65_535, 65_536).filter(isWithin(schema)),
        fc.integer({ min: schema.minimum ?? -1, max: schema.maximum ?? 2_147_483_647 }),
      );
    case "number":
      return fc.double({ min: schema.minimum ?? -1, max: schema.maximum ?? 101, noNaN: true });
    case "boolean":
      return fc.boolean();
    case undefined:
    default:
      return fc.jsonValue();
  }
}

function isWithin({ minimum = 0, maximum = 65_536 }: Schema): (value: number) => boolean {
  return (value) => value >= minimum && value <= maximum;
}

/** Of fields that exclude each other, one; a list of such lists has them in `allOf`. */
function withoutRivals(schema: Schema, names: readonly string[]): readonly string[] {
  let left = names;
  for (const { oneOf } of [schema, ...(schema.allOf ?? [])]) {
    const rivals = (oneOf ?? []).flatMap((one) => one.required ?? []);
    const first = left.find((name) => rivals.includes(name));
    left = left.filter((name) => name === first || !rivals.includes(name));
  }
  return left;
}

/** Each field is there as often as lets about four of them be there. */
function arbitraryFields(schema: Schema, depth: number): fc.Arbitrary<unknown> {
  const fields = Object.entries(schema.properties ?? {});
  if (typeof schema.additionalProperties === "object") {
    const values = arbitraryOf(schema.additionalProperties, depth + 1);
    return fc.dictionary(fc.constantFrom(...TEXTS, "x"), values, { maxKeys: 2 });
  }
  const absent = Math.max(1, Math.round(fields.length / 4));
  const entries = fields.map(([name, field]) => {
    const isRequired = schema.required?.includes(name) === true;
    const value = fc.option(arbitraryOf(field, depth + 1), { nil: undefined, freq: 4 });
    const some = isRequired
      ? arbitraryOf(field, depth + 1)
      : fc.oneof(
          { weight: absent, arbitrary: fc.constant(undefined) },
          { weight: 1, arbitrary: value },
        );
    return [name, some] as const;
  });
  return fc.record(Object.fromEntries(entries)).map((record) => {
    const names = Object.keys(record).filter((name) => record[name] !== undefined);
    return Object.fromEntries(withoutRivals(schema, names).map((name) => [name, record[name]]));
  });
}
