import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { parseAllDocuments } from "yaml";
import { decodeYaml } from "../../src/config/yaml.ts";
import { findCases } from "../programs.ts";

const repository = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const ours = join(repository, "samples/bookinfo");
const cases = findCases();
const published = join(cases ?? "", "samples/bookinfo");

interface Sample {
  readonly kind: string;
  readonly metadata: { readonly name: string };
}

/** The objects of a file in a fixed order, images without tag, lists of named things sorted. */
function readSamples(path: string): readonly Sample[] {
  const samples = parseAllDocuments(readFileSync(path, "utf8"))
    .map((document) => document.toJS() as Sample | null)
    .filter((sample) => sample !== null);
  const key = ({ kind, metadata }: Sample): string => `${kind}/${metadata.name}`;
  return samples
    .map((sample) => normalize(sample) as Sample)
    .sort((left, right) => key(left).localeCompare(key(right)));
}

function normalize(value: unknown, key = ""): unknown {
  if (key === "image") return String(value).replace(/:[^:/]*$/, "");
  if (Array.isArray(value)) {
    const entries = value.map((entry) => normalize(entry));
    const nameOf = (entry: unknown): string =>
      typeof entry === "object" && entry !== null && "name" in entry ? String(entry.name) : "";
    return entries.sort((left, right) => nameOf(left).localeCompare(nameOf(right)));
  }
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, entry]) => [name, normalize(entry, name)]),
  );
}

test("bookinfo.yaml has fourteen objects, and the catalogue a program for every image", () => {
  const samples = readSamples(join(ours, "bookinfo.yaml"));
  expect(samples.map(({ kind, metadata }) => `${kind}/${metadata.name}`)).toEqual([
    "Deployment/details-v1",
    "Deployment/productpage-v1",
    "Deployment/ratings-v1",
    "Deployment/reviews-v1",
    "Deployment/reviews-v2",
    "Deployment/reviews-v3",
    "Service/details",
    "Service/productpage",
    "Service/ratings",
    "Service/reviews",
    "ServiceAccount/bookinfo-details",
    "ServiceAccount/bookinfo-productpage",
    "ServiceAccount/bookinfo-ratings",
    "ServiceAccount/bookinfo-reviews",
  ]);
  const catalogue = readFileSync(join(repository, "samples/catalogue.yaml"), "utf8");
  const images = JSON.stringify(samples).match(/examples-bookinfo-[a-z]+-v\d/g) ?? [];
  expect(images).toHaveLength(6);
  for (const image of images) expect(catalogue).toContain(`match: "*${image}*"`);
});

describe.skipIf(cases === undefined)("Istio's published files (skipped without them)", () => {
  const pairs = [
    ["bookinfo.yaml", "platform/kube/bookinfo.yaml"],
    ...readdirSync(join(ours, "networking")).map((file) => [
      `networking/${file}`,
      `networking/${file}`,
    ]),
  ] as [string, string][];

  test.each(pairs)("%s has the effect of theirs", (file, theirs) => {
    expect(readSamples(join(ours, file))).toEqual(readSamples(join(published, theirs)));
  });

  test.each(pairs)("theirs of %s is accepted unchanged", (_, theirs) => {
    const text = readFileSync(join(published, theirs), "utf8");
    expect(decodeYaml(text, theirs, { defaultNamespace: "default" }).problems).toEqual([]);
  });

  test("a way out of the mesh is accepted too", () => {
    const file = "networking/egress-rule-google-apis.yaml";
    const text = readFileSync(join(published, file), "utf8");
    expect(decodeYaml(text, file, { defaultNamespace: "default" }).problems).toEqual([]);
  });
});
