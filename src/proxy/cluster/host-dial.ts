import type { NetConnectOpts, Socket } from "node:net";
import type { OriginalSource, PeerAddress, ProxyTlv } from "../../match/connection-info.ts";
import type { OnConnect } from "../net/dial.ts";
import { type KeepAlive, keepAlive } from "../net/keep-alive.ts";
import { encodeProxyHeader } from "../net/proxy-header.ts";
import {
  connectSocket,
  localAddressOf,
  type OpenSocket,
  openSocket,
  type ReadBuffer,
  remoteAddressOf,
  type SocketOwner,
} from "../net/socket.ts";
import { openTransparent } from "../net/transparent-socket.ts";
import type { Hello, UpstreamTls } from "../tls/upstream-tls.ts";

/** Which header a host is told first whom a connection is for, and what of the client's own in it. */
export interface ProxyHeaderConfig {
  readonly version: "V1" | "V2";
  /** Which extensions of the client's header go on. */
  readonly passes: (tlv: ProxyTlv) => boolean;
  /** What every header says besides, before those. */
  readonly added: readonly ProxyTlv[];
}

/** The same at run time. */
export interface HopHeader extends ProxyHeaderConfig {
  /** Told when not all extensions had room. */
  readonly onOverlong: () => void;
}

/** What a connection to a host is made of. */
export interface Hop {
  /** `undefined` is plain text. */
  readonly tls: UpstreamTls | undefined;
  readonly header: HopHeader | undefined;
  /** Whom it is for; `undefined` for the proxy itself. */
  readonly client: DialClient | undefined;
  /** How a silent host is asked whether it is there; `undefined` is never. */
  readonly keepAlive: KeepAlive | undefined;
  /** What TLS says instead of what the cluster's says. */
  readonly hello?: Hello;
}

/** By which names the TLS connection of one request is made; each is "" for none. */
export interface UpstreamNames {
  /** The server name to ask for. */
  readonly serverName: string;
  /** What the host's certificate must be for, besides what is configured. */
  readonly certifiedName: string;
}

/** What a connection may tell its host of the client that it is made for. */
export interface DialClient {
  readonly remote: PeerAddress;
  readonly local: PeerAddress;
  readonly proxyTlvs: readonly ProxyTlv[];
  readonly originalSource: OriginalSource | undefined;
}

/** Connects to one address of a host. */
export function dialHost(
  to: NetConnectOpts,
  hop: Hop,
  buffer: ReadBuffer,
  owner: SocketOwner,
  onConnect: OnConnect,
): Socket {
  const socket = dial(to, hop, buffer, owner, onConnect);
  const { keepAlive: settings } = hop;
  if (settings !== undefined && !("path" in to)) {
    socket.once("connect", () => keepAlive(socket, settings));
  }
  return socket;
}

function dial(
  to: NetConnectOpts,
  { tls, header, client, hello }: Hop,
  buffer: ReadBuffer,
  owner: SocketOwner,
  onConnect: OnConnect,
): Socket {
  const source = client?.originalSource;
  if (header === undefined && source === undefined) {
    return tls === undefined
      ? connectSocket(to, buffer, owner, onConnect)
      : tls.connect(to, buffer, owner, onConnect, hello);
  }
  const open: OpenSocket =
    source === undefined || "path" in to
      ? openSocket
      : (remote, reading) => openTransparent(source, remote, reading);
  const tell = (socket: Socket): void => {
    if (header !== undefined) socket.write(headerOf(header, client, socket), "latin1");
  };
  if (tls !== undefined) {
    const below = open(to);
    below.once("connect", () => tell(below));
    return tls.connect({ socket: below }, buffer, owner, onConnect, hello);
  }
  const onOpen: OnConnect = (socket) => {
    tell(socket);
    onConnect(socket);
  };
  return connectSocket(to, buffer, owner, onOpen, open);
}

/** Of the proxy itself it says, as in Envoy, LOCAL or the addresses of the connection. */
function headerOf(
  { version, passes, added, onOverlong }: HopHeader,
  client: DialClient | undefined,
  socket: Socket,
): string {
  if (client !== undefined) {
    const types = new Set(added.map(({ type }) => type));
    const passed = client.proxyTlvs.filter((tlv) => !types.has(tlv.type) && passes(tlv));
    const tlvs = [...added, ...passed];
    const fitting = tlvsThatFit(tlvs, client);
    if (fitting.length < tlvs.length && version === "V2") onOverlong();
    return encodeProxyHeader(version, client, fitting);
  }
  const none: PeerAddress = { address: "", port: 0 };
  if (version === "V2") return encodeProxyHeader(version, { remote: none, local: none });
  const remote = localAddressOf(socket) ?? none;
  return encodeProxyHeader(version, { remote, local: remoteAddressOf(socket) ?? none });
}

/** The length of a header is told in two bytes; addresses come first. */
function tlvsThatFit(
  tlvs: readonly ProxyTlv[],
  { remote }: Pick<DialClient, "remote">,
): readonly ProxyTlv[] {
  let left = 65_535 - (remote.address.includes(":") ? 36 : 12);
  return tlvs.filter(({ value }) => {
    const fits = value.length + 3 <= left;
    if (fits) left -= value.length + 3;
    return fits;
  });
}

/** What tells apart the connections of clients that must not share them: "" where all may. */
export function clientKey(
  header: ProxyHeaderConfig | undefined,
  client: DialClient | undefined,
): string {
  if (client === undefined) return "";
  const { remote, local, originalSource } = client;
  const source = originalSource === undefined ? "" : originalSource.address;
  if (header === undefined) return source;
  return `${source} ${remote.address} ${remote.port} ${local.address} ${local.port}`;
}
