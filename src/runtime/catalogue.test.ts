import { describe, expect, it } from "vitest";
import { findCatalogueEntry, parseCatalogue } from "./catalogue.ts";

const VARIABLES = { node: "/usr/bin/node", weft: "/opt/weft" };

describe("parseCatalogue()", () => {
  it("replaces variables", () => {
    const text = `images:
  - match: "*reviews*"
    command: ["\${node}", "\${weft}/app.js"]
    env: { VERSION: 1 }
`;
    expect(parseCatalogue(text, VARIABLES)).toEqual({
      ok: true,
      value: [
        {
          match: "*reviews*",
          command: ["/usr/bin/node", "/opt/weft/app.js"],
          args: [],
          env: { VERSION: "1" },
        },
      ],
    });
  });

  it.each([
    [
      "images:\n  - match: x\n    comand: [a]\n",
      'images[0].comand: unknown field, did you mean "command"?',
    ],
    ["images:\n  - match: x\n", "images[0].command: required: what to run"],
    ["images:\n  - command: [a]\n", "images[0].match: required: an image name, may contain *"],
    ["images: 3\n", "images: must be a list"],
    ["foo: 3\n", "images: required: a list of entries"],
    [
      `images:\n  - {match: x, command: ["\${nod}"]}\n`,
      "images[0].command[0]: unknown variable ${nod}",
    ],
  ])("refuses %j", (text, problem) => {
    const result = parseCatalogue(text, VARIABLES);
    const texts = result.ok ? [] : result.issues.map(({ path, message }) => `${path}: ${message}`);
    expect(texts).toContain(problem);
  });
});

describe("findCatalogueEntry()", () => {
  const entry = (match: string) => ({ match, command: ["x"], args: [], env: {} });

  it.each([
    ["nginx", "docker.io/library/nginx:1.27", true],
    ["library/nginx", "docker.io/library/nginx:1.27", true],
    ["nginx:1.27", "docker.io/library/nginx:1.27", true],
    ["nginx:1.26", "docker.io/library/nginx:1.27", false],
    ["nginx", "my-nginx", false],
    ["nginx", "localhost:5000/nginx@sha256:abc", true],
    [
      "*examples-bookinfo-reviews-v1*",
      "registry.istio.io/release/examples-bookinfo-reviews-v1:1.20.3",
      true,
    ],
    ["*reviews-v1", "registry.istio.io/release/examples-bookinfo-reviews-v1:1.20.3", true],
    ["a.c", "abc", false],
  ])("%s for %s: %s", (match, image, isFound) => {
    expect(findCatalogueEntry([entry(match)], image) !== undefined).toBe(isFound);
  });

  it("takes the first that matches", () => {
    const entries = [entry("*v1"), entry("app-v1")];
    expect(findCatalogueEntry(entries, "app-v1:2")).toBe(entries[0]);
  });
});
