import { devNull } from "node:os";
import { parseBootstrap } from "../../../src/proxy/bootstrap.ts";
import { h2Bootstrap } from "./h2-bootstrap.ts";

/** Whether weft's proxy takes such a configuration yet. */
export function isHttp2Built(): boolean {
  const ports = { http2: 1, auto: 2, edge: 3, tight: 4, admin: 5 };
  const targets = { http1: 6, http2: 7, refused: 8 };
  return parseBootstrap(JSON.stringify(h2Bootstrap(ports, targets, devNull))).ok;
}
