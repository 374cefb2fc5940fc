import { isIPv4, isIPv6, parseHostPort } from "../../base/ip.ts";
import type { NameRules } from "../cluster/cluster-config.ts";
import type { UpstreamNames } from "../cluster/host-dial.ts";
import type { HeaderList } from "../http/header-list.ts";

/** What of a request its upstream is named by. */
interface NamedRequest {
  readonly authority: string;
  readonly headers: HeaderList;
}

/**
 * The name that a request's TLS connection asks for and that its host's certificate must have
 * (Envoy, `UpstreamHttpProtocolOptions`): the host of the request as its route leaves it, or what
 * the configured header says. An address is no server name (RFC 6066 3), but may be certified.
 */
export function upstreamNames(rules: NameRules, request: NamedRequest): UpstreamNames {
  const value = (rules.header !== "" && request.headers.get(rules.header)) || request.authority;
  const name = parseHostPort(value)?.host ?? value;
  const isAddress = isIPv4(name) || isIPv6(name);
  return {
    serverName: rules.setsServerName && !isAddress ? name : "",
    certifiedName: rules.checksCertificate ? name : "",
  };
}
