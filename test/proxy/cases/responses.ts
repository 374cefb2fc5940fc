import type { DifferentialCase } from "../differential-case.ts";
import { get, HOST_LINE } from "./request-text.ts";

/** What upstreams answer. */
export const RESPONSES_CASES: readonly DifferentialCase[] = [
  { name: "an upstream that closes", send: get("/close"), status: [503] },
  { name: "an upstream that talks nonsense", send: get("/garbage"), status: [502] },
  { name: "a response of two lengths", send: get("/two-lengths"), status: [502] },
  { name: "a response of length and chunks", send: get("/length-and-chunks"), status: [502] },
  { name: "a response until the end", send: get("/eof"), status: [200] },
  { name: "a response of HTTP/1.0", send: get("/http10"), status: [200] },
  { name: "a response in chunks, with a trailer", send: get("/chunked"), status: [200] },
  { name: "a head that is cut off", send: get("/cut-head"), status: [502] },
  { name: "a head that is cut off by a reset", send: get("/cut-head-reset"), status: [502] },
  { name: "an empty line before a response", send: get("/line-first"), status: [502] },
  { name: "204 with a length", send: get("/204-length"), status: [502] },
  { name: "204 of length 0", send: get("/204-zero"), status: [204] },
  { name: "204 in chunks", send: get("/204-chunks"), status: [502] },
  { name: "an interim response with a length", send: get("/interim-length"), status: [502] },
  { name: "204", send: get("/204"), status: [204] },
  { name: "304 without a length", send: get("/304"), status: [304] },
  { name: "304 with a length", send: get("/304-length"), status: [304] },
  { name: "an empty body", send: get("/zero-body"), status: [200] },
  { name: "an unknown status", send: get("/odd-status"), status: [299] },
  { name: "500", send: get("/500"), status: [500] },
  { name: "an interim response", send: get("/interim"), status: [200] },
  { name: "a response with headers of its hop", send: get("/hop"), status: [200] },
  {
    name: "a response to HEAD",
    send: `HEAD /x HTTP/1.1\r\n${HOST_LINE}\r\n`,
    methods: ["HEAD"],
    status: [200],
  },
  {
    name: "a response to HEAD in chunks",
    send: `HEAD /head-chunked HTTP/1.1\r\n${HOST_LINE}\r\n`,
    methods: ["HEAD"],
    status: [200],
  },
  { name: "the upstream's own server header", listener: "plain", send: get("/hop"), status: [200] },
];
