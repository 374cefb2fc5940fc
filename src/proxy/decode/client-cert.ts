import {
  HttpConnectionManager_ForwardClientCertDetails as Forward,
  type HttpConnectionManager,
  HttpConnectionManager_SetCurrentClientCertDetailsSchema,
} from "../../api/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js";
import type { Issue } from "../../base/issue.ts";
import { joinPath, refuseFields } from "../../match/refuse-fields.ts";
import {
  type ClientCertConfig,
  type ClientCertWriter,
  createClientCertWriter,
  keepClientCert,
  removeClientCert,
} from "../http/client-cert-header.ts";

const MODES: Readonly<Partial<Record<Forward, ClientCertConfig["mode"]>>> = {
  [Forward.FORWARD_ONLY]: "forward_only",
  [Forward.APPEND_FORWARD]: "append_forward",
  [Forward.SANITIZE_SET]: "sanitize_set",
};

/** Decodes what upstreams are told of a client's certificate. */
export function decodeClientCert(
  message: HttpConnectionManager,
  path: string,
  issues: Issue[],
): ClientCertWriter {
  const details = message.setCurrentClientCertDetails;
  if (details !== undefined) {
    const fields = ["subject", "cert", "chain", "dns", "uri"];
    const schema = HttpConnectionManager_SetCurrentClientCertDetailsSchema;
    const at = joinPath(path, "set_current_client_cert_details");
    issues.push(...refuseFields(schema, details, fields, at));
  }
  if (message.forwardClientCertDetails === Forward.ALWAYS_FORWARD_ONLY) return keepClientCert;
  const mode = MODES[message.forwardClientCertDetails];
  if (mode === undefined) return removeClientCert;
  return createClientCertWriter({
    mode,
    subject: details?.subject ?? false,
    cert: details?.cert ?? false,
    chain: details?.chain ?? false,
    dns: details?.dns ?? false,
    uri: details?.uri ?? false,
  });
}
