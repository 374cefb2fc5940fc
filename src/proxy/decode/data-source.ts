import { readFileSync } from "node:fs";
import { type DataSource, DataSourceSchema } from "../../api/gen/envoy/config/core/v3/base_pb.js";
import type { Issue } from "../../base/issue.ts";
import { joinPath, refuseFields } from "../../match/refuse-fields.ts";

/** Bytes of a configuration, and where they came from. */
export interface LoadedData {
  readonly bytes: Buffer;
  /** The file, or `<inline>`. */
  readonly from: string;
  /** The file to watch where watching is asked for; `undefined` when there is none. */
  readonly file: string | undefined;
}

/** A larger file is no certificate; Envoy's own bound is 1 MiB for some sources, none for others. */
const FILE_BYTES_MAX = 16 * 1024 * 1024;

/** Reads a data source now; `undefined` when it is not set, or after an issue in Envoy's words. */
export function loadDataSource(
  source: DataSource | undefined,
  path: string,
  issues: Issue[],
): LoadedData | undefined {
  if (source === undefined) return undefined;
  const handled = ["filename", "inline_bytes", "inline_string", "environment_variable"];
  issues.push(...refuseFields(DataSourceSchema, source, handled, path));
  const { specifier } = source;
  switch (specifier.case) {
    case "filename":
      return readFile(specifier.value, path, issues);
    case "inlineBytes":
      return { bytes: Buffer.from(specifier.value), from: "<inline>", file: undefined };
    case "inlineString":
      return { bytes: Buffer.from(specifier.value), from: "<inline>", file: undefined };
    case "environmentVariable": {
      const value = process.env[specifier.value];
      if (value !== undefined)
        return { bytes: Buffer.from(value), from: "<inline>", file: undefined };
      issues.push({ path, message: `Environment variable doesn't exist: ${specifier.value}` });
      return undefined;
    }
    case undefined:
      issues.push({ path: joinPath(path, "specifier"), message: "is missing" });
      return undefined;
  }
}

function readFile(name: string, path: string, issues: Issue[]): LoadedData | undefined {
  try {
    const bytes = readFileSync(name);
    if (bytes.length === 0) issues.push({ path, message: `file ${name} is empty` });
    else if (bytes.length > FILE_BYTES_MAX) {
      issues.push({
        path,
        message: `file ${name} size is ${bytes.length} bytes; maximum is ${FILE_BYTES_MAX}`,
      });
    } else return { bytes, from: name, file: name };
  } catch (error) {
    const isMissing = (error as NodeJS.ErrnoException).code === "ENOENT";
    const what = isMissing ? `Invalid path: ${name}` : `unable to read file: ${name}`;
    issues.push({ path, message: what });
  }
  return undefined;
}
