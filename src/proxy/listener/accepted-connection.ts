import type { Socket } from "node:net";
import type {
  ConnectionInfo,
  ListenerInfo,
  OriginalSource,
  PeerAddress,
  ProxyTlv,
  TlsInfo,
} from "../../match/connection-info.ts";
import type { StreamInfo } from "../../match/stream-info.ts";

/** The other end of a Unix socket has no address of its own. */
const NO_ADDRESS: PeerAddress = { address: "", port: 0 };

/**
 * A connection from the moment it is accepted: its socket, and what is known of it. Listener
 * filters and the transport write what they find; addresses are asked of the system only when
 * somebody reads them.
 */
export class AcceptedConnection implements ConnectionInfo {
  /** Changes hands on its way: paused while listener filters and the transport look at it. */
  socket: Socket;
  id = 0;
  filterChainName = "";
  listener: ListenerInfo | undefined = undefined;
  serverName = "";
  transportProtocol: "raw_buffer" | "tls" = "raw_buffer";
  applicationProtocols: readonly string[] = [];
  tls: TlsInfo | undefined = undefined;
  /** Why its handshake failed, in the form of Envoy's transport failure reason; "" when not. */
  transportFailure = "";
  /** The cluster that a network filter chose for the TCP proxy: Envoy's `envoy.tcp_proxy.cluster`. */
  cluster: string | undefined = undefined;
  /** The port of the host that it names: Envoy's `envoy.upstream.dynamic_port`. */
  dynamicPort: number | undefined = undefined;
  /** The response flag of a filter that ended it; "" for none. */
  flag = "";
  /** Why a filter ended it, for access logs. */
  terminationDetails = "";
  /** When it was accepted: on the monotonic clock, 0 where nobody asks, and by the calendar. */
  acceptedMs = 0;
  acceptedWallMs = 0;
  isLocalRestored = false;
  proxyTlvs: readonly ProxyTlv[] = [];
  originalSource: OriginalSource | undefined = undefined;
  /** Whether another listener accepted it; it goes to a third no more. */
  isHandedOver = false;
  /** Gives its place among all connections free; absent where these are not counted. */
  giveBack: (() => void) | undefined = undefined;
  /** Told that it is over; absent where nobody logs that. */
  onGone: (() => void) | undefined = undefined;
  /** What the last filter of its chain knows of it in the end; absent where that is nothing more. */
  summary: (() => StreamInfo) | undefined = undefined;
  /** Which HTTP its client speaks, where a connection manager has it; "" for none. */
  protocol = "";
  /** Envoy's RESPONSE_CODE_DETAILS of a connection; "" for none. */
  details = "";
  #remote: PeerAddress | undefined = undefined;
  #directRemote: PeerAddress | undefined = undefined;
  #local: PeerAddress | undefined = undefined;

  constructor(socket: Socket) {
    this.socket = socket;
  }

  get directRemote(): PeerAddress {
    const { remoteAddress, remotePort } = this.socket;
    this.#directRemote ??= peerAddress(remoteAddress, remotePort);
    return this.#directRemote;
  }

  get remote(): PeerAddress {
    return this.#remote ?? this.directRemote;
  }

  /** Somebody who is trusted says who the client is. */
  set remote(address: PeerAddress) {
    this.#remote = address;
  }

  get local(): PeerAddress {
    if (this.#local === undefined) {
      const { localAddress, localPort } = this.socket;
      this.#local = peerAddress(localAddress, localPort);
    }
    return this.#local;
  }

  /** Where the client wanted to go, before it was sent here. */
  set local(address: PeerAddress) {
    this.#local = address;
    this.isLocalRestored = true;
  }

  get originalDestination(): PeerAddress | undefined {
    return this.isLocalRestored ? this.local : undefined;
  }

  /** It is over, or was never taken; more than once is as good as once. */
  release(): void {
    const { giveBack, onGone } = this;
    this.giveBack = undefined;
    this.onGone = undefined;
    onGone?.();
    giveBack?.();
  }

  /** Whether somebody waits for its end. */
  get isAwaited(): boolean {
    return this.giveBack !== undefined || this.onGone !== undefined;
  }

  /** Asks for the addresses now: a socket that is closed no longer tells them. */
  keepAddresses(): void {
    void this.directRemote;
    void this.local;
  }
}

/** An IPv4 client of a socket for both families comes as `::ffff:1.2.3.4`. */
function peerAddress(address: string | undefined, port: number | undefined): PeerAddress {
  if (address === undefined) return NO_ADDRESS;
  return {
    address: address.startsWith("::ffff:") ? address.substring(7) : address,
    port: port ?? 0,
  };
}
