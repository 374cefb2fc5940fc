import { createPrivateKey, X509Certificate } from "node:crypto";
import { describe, expect, it } from "vitest";
import { SimClock } from "../base/sim-clock.ts";
import { createServingCertificate } from "./serving-certificate.ts";

describe("createServingCertificate()", () => {
  it("makes a certificate for the hosts, signed by an authority of its own", async () => {
    const clock = new SimClock(Date.UTC(2026, 10, 21));
    const hosts = ["127.0.0.1", "localhost"];
    const made = await createServingCertificate({ clock, hosts, lifetimeDays: 30 });
    const ca = new X509Certificate(made.caCertificate);
    const certificate = new X509Certificate(made.certificate);
    expect(ca.ca).toBe(true);
    expect(certificate.ca).toBe(false);
    expect(certificate.verify(ca.publicKey)).toBe(true);
    expect(certificate.checkIssued(ca)).toBe(true);
    expect(certificate.checkPrivateKey(createPrivateKey(made.privateKey))).toBe(true);
    expect(certificate.checkIP("127.0.0.1")).toBe("127.0.0.1");
    expect(certificate.checkHost("localhost")).toBe("localhost");
    expect(certificate.checkHost("example.com")).toBeUndefined();
    expect(new Date(certificate.validTo).toISOString()).toBe("2026-12-21T00:00:00.000Z");
  });
});
