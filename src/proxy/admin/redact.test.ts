import { expect, test } from "vitest";
import { redact } from "./redact.ts";

test("what a secret says is replaced, where it stands is not", () => {
  const source = (text: string): { inline_string: string } => ({ inline_string: text });
  expect(
    redact({
      tls_certificates: [
        {
          certificate_chain: source("chain"),
          private_key: source("key"),
          password: { inlineBytes: "AAAA" },
        },
      ],
      session_ticket_keys: { keys: [source("a"), { filename: "/b" }] },
      privateKey: source("key"),
      keys: ["a", "b"],
    }),
  ).toEqual({
    tls_certificates: [
      {
        certificate_chain: source("chain"),
        private_key: source("[redacted]"),
        password: { inlineBytes: "W3JlZGFjdGVkXQ==" },
      },
    ],
    session_ticket_keys: { keys: [source("[redacted]"), { filename: "/b" }] },
    privateKey: source("[redacted]"),
    keys: ["a", "b"],
  });
});
