import { isIP, type NetConnectOpts, Socket } from "node:net";
import { connect, type SecureContext, type TLSSocket } from "node:tls";
import type { Clock } from "../../base/clock.ts";
import type { CounterGroups } from "../counters.ts";
import type { OnConnect } from "../net/dial.ts";
import { onRead, type ReadBuffer, type SocketOwner, watch } from "../net/socket.ts";
import type { SecretStore } from "../secret/secret-store.ts";
import { encodeAlpn } from "./alpn.ts";
import { Certificate } from "./certificate.ts";
import { type ContextCache, createContext, NO_RENEGOTIATION } from "./secure-context.ts";
import { countHandshake, readPeer, SessionInfo } from "./session-info.ts";
import { type SslStats, sslStats } from "./ssl-stats.ts";
import type { UpstreamTlsConfig } from "./tls-config.ts";
import { formatTlsError, libraryError, TransportError } from "./tls-error.ts";
import { type TlsHandle, tlsHandle } from "./tls-handle.ts";
import { type Material, TlsMaterial } from "./tls-material.ts";
import { type ExpectedNames, PeerValidator } from "./verify-peer.ts";

/** What the TLS of clusters needs. */
export interface UpstreamTlsDeps {
  readonly tlsContexts: ContextCache;
  readonly secrets: SecretStore;
  readonly counters: CounterGroups;
  readonly clock: Clock;
}

/** Everything that connections of one version of the secrets share. */
interface ClientContext {
  readonly secure: SecureContext;
  readonly validator: PeerValidator | undefined;
  readonly local: Certificate | undefined;
  /** Sessions to resume, the newest last. */
  readonly sessions: Session[];
}

/** What one connection says and expects in place of what is configured. */
export interface Hello {
  /** Offered when it is not empty. */
  readonly alpn?: readonly string[];
  /** Offered when the configuration offers nothing. */
  readonly ownAlpn?: readonly string[];
  /** Asked for when it is not empty. */
  readonly serverName?: string;
  /** What the certificate must be for besides; "" for nothing. */
  readonly certifiedName?: string;
  /** The host's own name, for a configuration that asks for that; "" where it has none. */
  readonly hostname?: string;
}

interface Session {
  readonly bytes: Buffer;
  /** The name that was asked for: behind another there may be another server. */
  readonly serverName: string;
  /** TLS 1.3: using one twice would let observers link connections (RFC 8446 C.4). */
  readonly isSingleUse: boolean;
  /** Who it was agreed with: a resumed handshake does not show the certificate again. */
  readonly peer: Certificate | undefined;
}

const NO_TICKET_KEYS = { kind: "inline", value: [] } as const;

/** TLS to the hosts of one cluster: its context follows its secrets, open connections do not. */
export class UpstreamTls {
  readonly config: UpstreamTlsConfig;
  readonly #stats: SslStats;
  readonly #alpn: Buffer | undefined;
  readonly #contexts: ContextCache;
  readonly #clock: Clock;
  readonly #material: TlsMaterial;
  #context: ClientContext | undefined = undefined;

  /** `prefix` is the cluster's, of its counters. */
  constructor(
    config: UpstreamTlsConfig,
    prefix: string,
    { tlsContexts, secrets, counters, clock }: UpstreamTlsDeps,
  ) {
    this.config = config;
    this.#clock = clock;
    this.#stats = sslStats(counters, prefix, "client");
    this.#alpn = config.alpn.length === 0 ? undefined : encodeAlpn(config.alpn);
    this.#contexts = tlsContexts;
    const isDynamic =
      config.validationRef !== undefined ||
      config.certificates.some(({ kind }) => kind !== "inline");
    this.#material = new TlsMaterial(config, NO_TICKET_KEYS, secrets, {
      check: ({ certificates: [certificate], validation }) => {
        createContext(config, { certificate, validation }, {});
      },
      prepare: (material) => {
        const context = this.#createContext(material);
        return () => {
          this.#context = context;
          if (isDynamic) this.#stats.factory.ssl_context_update_by_sds++;
        };
      },
    });
  }

  /** Whether its secrets have come, or took too long; a cluster warms until then. */
  get isReady(): boolean {
    return this.#material.isReady;
  }

  #createContext({ certificates: [certificate], validation }: Material): ClientContext {
    const extras = { secureOptions: NO_RENEGOTIATION };
    const [local] = certificate === undefined ? [] : Certificate.readAll(certificate.chain.text);
    return {
      secure: this.#contexts.get(this.config, { certificate, validation }, extras),
      validator: validation && new PeerValidator(validation, "server", this.#clock),
      local,
      sessions: [],
    };
  }

  /**
   * Connects; `onConnect` is called once when the handshake is over and the host was found to be
   * who it should be. Otherwise the owner's `onClose` gets a `TransportError`, or the error of the
   * connection itself. Nothing that is written before is sent before.
   */
  connect(
    to: NetConnectOpts | { readonly socket: Socket },
    buffer: ReadBuffer,
    owner: SocketOwner,
    onConnect: OnConnect,
    hello: Hello = {},
  ): Socket {
    const offered = this.#offer(hello);
    const serverName = this.#serverName(hello);
    const context = this.#context;
    if (context === undefined) {
      this.#stats.factory.upstream_context_secrets_not_ready++;
      const none = new Socket();
      watch(none, buffer, owner);
      none.destroy(new TransportError("TLS error: Secret is not supplied by SDS"));
      return none;
    }
    const below = "socket" in to ? to.socket : undefined;
    const session = takeSession(context.sessions, serverName);
    const socket = connect({
      ...to,
      allowHalfOpen: true,
      noDelay: true,
      // Node reads into a buffer where the socket is its own only.
      ...(below === undefined ? { onread: onRead(buffer, owner) } : {}),
      secureContext: context.secure,
      // What it would find is looked at below, by Envoy's rules.
      rejectUnauthorized: false,
      ...(serverName === "" ? {} : { servername: serverName }),
      ...(offered === undefined ? {} : { ALPNProtocols: offered }),
      ...(session === undefined ? {} : { session: session.bytes }),
    } as never);
    if (below !== undefined) {
      socket.on("data", (bytes: Buffer) => owner.onBytes(bytes, bytes.length));
      below.on("error", (error) => socket.destroy(error));
    }
    let isOpen = false;
    let peer: Certificate | undefined;
    const newSessions: Buffer[] = [];
    const keepSessions = (): void => {
      const isSingleUse = socket.getProtocol() === "TLSv1.3";
      for (const bytes of newSessions.splice(0)) {
        this.#keep(context, { bytes, serverName, isSingleUse, peer });
      }
    };
    this.#prepare(socket, (bytes) => {
      newSessions.push(bytes);
      if (isOpen) keepSessions();
    });
    socket.once("secure", () => {
      const isResumed = tlsHandle(socket)?.isSessionReused() === true;
      peer = isResumed ? session?.peer : readPeer(socket);
      const info = this.#verify(socket, context, peer, {
        certifiedName: hello.certifiedName ?? "",
        onlyName: this.config.certifiesServerName ? serverName : "",
      });
      if (typeof info === "string") {
        socket.destroy(new TransportError(formatTlsError(info)));
        return;
      }
      isOpen = true;
      // TLS 1.2 brings them before the host is known to be who it should be.
      keepSessions();
      onConnect(socket, info);
    });
    watch(socket, buffer, {
      onBytes: () => undefined,
      // A host that ends in the middle of its handshake cannot be reached.
      onEnd: () => (isOpen ? owner.onEnd() : void socket.destroy()),
      onDrain: () => owner.onDrain(),
      onClose: (error) => owner.onClose(this.#explain(error)),
    });
    return socket;
  }

  #offer({ alpn = [], ownAlpn = [] }: Hello): Buffer | undefined {
    if (alpn.length > 0) return encodeAlpn(alpn);
    return this.#alpn ?? (ownAlpn.length === 0 ? undefined : encodeAlpn(ownAlpn));
  }

  /** What is asked for; "" for nothing. */
  #serverName({ serverName = "", hostname = "" }: Hello): string {
    const { asksForHostname, sni } = this.config;
    if (serverName !== "") return serverName;
    return asksForHostname && hostname !== "" && isIP(hostname) === 0 ? hostname : sni;
  }

  /** Node's own checks are left out: they read the whole chain into objects each time. */
  #prepare(socket: TLSSocket, onSession: (bytes: Buffer) => void): void {
    socket.removeAllListeners("secure");
    for (const listener of socket.listeners("end")) {
      if (listener.name === "onConnectEnd") socket.off("end", listener as () => void);
    }
    const handle = tlsHandle(socket);
    if (handle === undefined || this.config.sessionsMax === 0) return;
    handle.enableSessionCallbacks();
    handle.onnewsession = (_id, bytes) => onSession(bytes);
  }

  #keep({ sessions, validator }: ClientContext, session: Session): void {
    if (validator?.allowsResumption === false) return;
    sessions.push(session);
    if (sessions.length > this.config.sessionsMax) sessions.shift();
  }

  /** What the session is, or why it must not be. */
  #verify(
    socket: TLSSocket,
    { validator, local }: ClientContext,
    peer: Certificate | undefined,
    names: ExpectedNames,
  ): SessionInfo | string {
    const stats = this.#stats;
    const handle = tlsHandle(socket) as TlsHandle;
    let isPeerValidated = false;
    if (validator !== undefined) {
      if (peer === undefined)
        return "CERTIFICATE_VERIFY_FAILED:verify cert failed: no peer certificate";
      const chainError = validator.checkChain(peer, handle.verifyError() ?? undefined);
      isPeerValidated = validator.validates && chainError === undefined;
      const refusal = validator.verify(peer, chainError, stats, names);
      if (refusal !== undefined) return `CERTIFICATE_VERIFY_FAILED:${refusal}`;
    }
    const isRsa = peer?.x509.publicKey.asymmetricKeyType === "rsa";
    if (this.config.enforcesRsaKeyUsage && isRsa && !peer.allowsDigitalSignature) {
      stats.counters["ssl.was_key_usage_invalid"]++;
      return "KEY_USAGE_BIT_INCORRECT";
    }
    const info = new SessionInfo(socket, { peer, isPeerValidated, local });
    countHandshake(stats, info, handle.isSessionReused());
    return info;
  }

  #explain(error: Error | undefined): Error | undefined {
    if (error === undefined || error instanceof TransportError) return error;
    const reason = libraryError(error);
    if (reason === undefined) return error;
    this.#stats.counters["ssl.connection_error"]++;
    return new TransportError(formatTlsError(reason));
  }

  /** The cluster is gone; connections that are open go on. */
  close(): void {
    this.#material.close();
  }
}

function takeSession(sessions: Session[], serverName: string): Session | undefined {
  const at = sessions.findLastIndex((session) => session.serverName === serverName);
  const newest = sessions[at];
  if (newest?.isSingleUse === true) sessions.splice(at, 1);
  return newest;
}
