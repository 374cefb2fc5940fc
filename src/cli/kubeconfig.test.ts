import { expect, test } from "vitest";
import { stringify } from "yaml";
import { parseKubeconfig } from "./kubeconfig.ts";

const CONFIG = {
  "current-context": "weft",
  contexts: [
    { name: "other", context: { cluster: "none", user: "none" } },
    { name: "weft", context: { cluster: "c", user: "u", namespace: "shop" } },
  ],
  clusters: [
    {
      name: "c",
      cluster: {
        server: "https://127.0.0.1:6443/",
        "certificate-authority-data": Buffer.from("PEM").toString("base64"),
      },
    },
  ],
  users: [{ name: "u", user: { token: "secret" } }],
};

test("`parseKubeconfig()` takes what the current context names", () => {
  expect(parseKubeconfig(stringify(CONFIG), "k")).toEqual({
    server: "https://127.0.0.1:6443",
    ca: "PEM",
    isInsecure: false,
    token: "secret",
    namespace: "shop",
    source: "k",
  });
});

test.each([
  ["a: [", "k is not YAML"],
  ["{}", "k has no current-context"],
  [stringify({ ...CONFIG, users: [] }), 'k: users has no entry "u"'],
  [
    stringify({ ...CONFIG, users: [{ name: "u", user: { exec: {} } }] }),
    "users[].user.exec is not supported yet",
  ],
  [
    stringify({ ...CONFIG, clusters: [{ name: "c", cluster: { server: "nowhere" } }] }),
    "has no server URL",
  ],
])("`parseKubeconfig()` refuses %j", (text, message) => {
  expect(() => parseKubeconfig(text, "k")).toThrow(message);
});
