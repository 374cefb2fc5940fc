import { readFileSync } from "node:fs";
import { until } from "../controlplane/until.ts";
import { exchangeRaw } from "./raw-exchange.ts";

/** What both proxies must say of a request besides its bytes. */
const FORMAT =
  "%RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% " +
  "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT% %PROTOCOL% %REQ(:METHOD)% %TRAILER(X-T)% %REQ(MARK)%\n";
const FILE_LOG = "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog";
/** A header of the requests that stand in the log between two cases. */
const MARK = "between";

/** The field `access_log` of a connection manager whose cases are told apart by marks. */
export function caseLog(path: string): readonly object[] {
  const format = { text_format_source: { inline_string: FORMAT } };
  return [{ name: "file", typed_config: { "@type": FILE_LOG, path, log_format: format } }];
}

/** Ends a case in the log of that listener. */
export async function markLog(port: number): Promise<void> {
  const send = `GET /mark HTTP/1.1\r\nHost: a.test\r\nMark: ${MARK}\r\nConnection: close\r\n\r\n`;
  const { messages } = await exchangeRaw({ port, parts: [send], answers: 1 });
  if (messages.length !== 1) throw new Error(`nobody answers on port ${port}`);
}

/** What was logged before each of so many marks; waits until the last has been written. */
export async function readCaseLog(
  path: string,
  count: number,
): Promise<readonly (readonly string[])[]> {
  let cases: string[][] = [];
  await until(() => {
    cases = [[]];
    for (const line of readFileSync(path, "utf8").split("\n")) {
      if (line.endsWith(` ${MARK}`)) cases.push([]);
      else if (line !== "") cases.at(-1)?.push(line);
    }
    return Promise.resolve(cases.length > count);
  }, "the access log to be whole");
  return cases.slice(0, count);
}
