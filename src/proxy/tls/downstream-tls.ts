import { constants, randomBytes } from "node:crypto";
import { type SecureContext, TLSSocket } from "node:tls";
import type { AcceptedConnection } from "../listener/accepted-connection.ts";
import type { ListenerDeps } from "../listener/listener.ts";
import type { DownstreamTransport, Handshake, TransportConfig } from "../listener/transport.ts";
import type { Adopt } from "../network-filter/network-filter.ts";
import { adoptTls } from "./adopt-tls.ts";
import { encodeAlpn } from "./alpn.ts";
import type { Certificate } from "./certificate.ts";
import { type Choice, choiceOf, chooseCertificate } from "./choose-certificate.ts";
import { HelloReader } from "./hello-reader.ts";
import { NO_OFFER, type Offer } from "./offer.ts";
import {
  type ContextCache,
  type ContextExtras,
  checkCertificate,
  createContext,
  digest,
  NO_RENEGOTIATION,
} from "./secure-context.ts";
import { countHandshake, readPeer, SessionInfo } from "./session-info.ts";
import { type SslStats, sslStats, unboundSslStats } from "./ssl-stats.ts";
import { TicketKeys } from "./ticket-keys.ts";
import type { DownstreamTlsConfig, ValidationConfig } from "./tls-config.ts";
import { formatTlsError, libraryError } from "./tls-error.ts";
import { tlsHandle } from "./tls-handle.ts";
import { type Material, TlsMaterial } from "./tls-material.ts";
import { PeerValidator } from "./verify-peer.ts";

/** TLS as the transport of a filter chain. */
export function downstreamTls(config: DownstreamTlsConfig): TransportConfig {
  return { tls: config, create: (deps) => new DownstreamTls(config, deps) };
}

/** One certificate ready to be shown. */
interface ServerCertificate {
  readonly context: SecureContext;
  readonly certificate: Certificate;
}

/** Everything that handshakes of one version of the secrets share. */
interface ServerContext {
  readonly choices: readonly [Choice<ServerCertificate>, ...Choice<ServerCertificate>[]];
  readonly validator: PeerValidator | undefined;
  /** Whether clients are asked for a certificate, and whether they must have one. */
  readonly asksCertificate: boolean;
  readonly requiresCertificate: boolean;
}

/** The TLS of one filter chain: its contexts follow its secrets, open connections do not. */
class DownstreamTls implements DownstreamTransport {
  stats: SslStats = unboundSslStats();
  readonly config: DownstreamTlsConfig;
  readonly deps: ListenerDeps;
  readonly alpn: Buffer | undefined;
  readonly #contexts: ContextCache;
  readonly #material: TlsMaterial;
  readonly #isDynamic: boolean;
  #context: ServerContext | undefined = undefined;

  constructor(config: DownstreamTlsConfig, deps: ListenerDeps) {
    this.config = config;
    this.deps = deps;
    this.alpn = config.alpn.length === 0 ? undefined : encodeAlpn(config.alpn);
    this.#contexts = deps.context.tlsContexts;
    this.#isDynamic =
      config.validationRef !== undefined ||
      config.certificates.some(({ kind }) => kind !== "inline");
    this.#material = new TlsMaterial(config, config.ticketKeys, deps.context.secrets, {
      check: ({ certificates, validation }) => {
        for (const certificate of certificates)
          createContext(config, { certificate, validation }, {});
        if (certificates.length === 0)
          createContext(config, { certificate: undefined, validation }, {});
      },
      prepare: (material) => {
        const context = this.#createContext(material);
        return () => {
          this.#context = context;
          if (this.#isDynamic) this.stats.factory.ssl_context_update_by_sds++;
        };
      },
    });
  }

  get isReady(): boolean {
    return this.#material.isReady;
  }

  countUnder(prefix: string): void {
    const early = this.stats.factory.ssl_context_update_by_sds;
    this.stats = sslStats(this.deps.context.counters, prefix, "server");
    this.stats.factory.ssl_context_update_by_sds += early;
  }

  #createContext({ certificates, validation, ticketKeys }: Material): ServerContext {
    const { config } = this;
    const asks = asksCertificate(validation);
    const identity = digest([
      certificates.map(({ chain }) => chain.text),
      validation?.identity,
      config.requiresClientCertificate,
    ]);
    const validator =
      validation && new PeerValidator(validation, "client", this.deps.context.clock);
    const extras = this.#extras(identity, certificates.length > 1, validator);
    const keys = ticketKeys.length === 0 ? undefined : new TicketKeys(ticketKeys);
    const [first, ...more] = certificates.map((certificate) => {
      const parts = { certificate, validation };
      // With keys of their own contexts are not shared: other listeners may have other keys.
      const context =
        keys === undefined
          ? this.#contexts.get(config, parts, extras)
          : createContext(config, parts, { ...extras, ticketKeys: keys.forContext });
      keys?.install(context);
      const leaf = checkCertificate(certificate);
      return choiceOf({ context, certificate: leaf }, leaf);
    });
    if (first === undefined) throw new Error("no certificate");
    return {
      choices: [first, ...more],
      validator,
      asksCertificate: asks !== "no" || config.requiresClientCertificate,
      requiresCertificate: asks === "always" || config.requiresClientCertificate,
    };
  }

  #extras(
    identity: string,
    sharesTickets: boolean,
    validator: PeerValidator | undefined,
  ): ContextExtras {
    const { issuesTickets, sessionTimeoutS, parameters } = this.config;
    const options =
      NO_RENEGOTIATION |
      constants.SSL_OP_PRIORITIZE_CHACHA |
      (issuesTickets && validator?.allowsResumption !== false ? 0 : constants.SSL_OP_NO_TICKET);
    return {
      secureOptions: options,
      // A session is resumed only where its client would be accepted anew.
      sessionIdContext: identity,
      honorCipherOrder: parameters.ciphers !== "",
      ...(sessionTimeoutS === 0 ? {} : { sessionTimeout: sessionTimeoutS }),
      // A client that comes back may be shown another certificate of the same set.
      ...(sharesTickets ? { ticketKeys: randomBytes(48) } : {}),
    };
  }

  /** The context of new handshakes; `undefined` while a secret is missing. */
  get context(): ServerContext | undefined {
    return this.#context;
  }

  open(
    connection: AcceptedConnection,
    peeked: Buffer | undefined,
    onDone: (adopt: Adopt | undefined) => void,
  ): Handshake {
    const context = this.#context;
    if (context === undefined) {
      this.stats.factory.downstream_context_secrets_not_ready++;
      connection.socket.destroy();
      onDone(undefined);
      return { destroy: () => undefined };
    }
    const handshake = new ServerHandshake(this, context, connection, onDone);
    handshake.start(peeked);
    return handshake;
  }

  close(): void {
    this.#material.close();
  }
}

/** Whether a client is asked for its certificate, by what it would be held against. */
function asksCertificate(validation: ValidationConfig | undefined): "no" | "if there" | "always" {
  if (validation === undefined) return "no";
  const { hashes, spkis, sans, acceptsUntrusted, trustDomains } = validation;
  if (trustDomains.length > 0) return "always";
  if (hashes.length > 0 || spkis.length > 0 || sans.length > 0) {
    return acceptsUntrusted ? "if there" : "always";
  }
  return validation.trustedCa === undefined ? "no" : "if there";
}

/** One client on its way in. */
class ServerHandshake implements Handshake {
  readonly #tls: DownstreamTls;
  readonly #context: ServerContext;
  readonly #connection: AcceptedConnection;
  readonly #onDone: (adopt: Adopt | undefined) => void;
  #reader: HelloReader | undefined = undefined;
  #socket: TLSSocket | undefined = undefined;
  #isDone = false;

  constructor(
    tls: DownstreamTls,
    context: ServerContext,
    connection: AcceptedConnection,
    onDone: (adopt: Adopt | undefined) => void,
  ) {
    this.#tls = tls;
    this.#context = context;
    this.#connection = connection;
    this.#onDone = onDone;
  }

  start(peeked: Buffer | undefined): void {
    const { socket } = this.#connection;
    if (peeked !== undefined) socket.unshift(peeked);
    const needsHello = this.#tls.alpn !== undefined || this.#context.choices.length > 1;
    if (!needsHello) return this.#begin(NO_OFFER);
    this.#reader = new HelloReader(
      socket,
      (offer) => this.#begin(offer),
      () => {
        this.#tls.stats.counters["ssl.connection_error"]++;
        this.#finish(undefined);
      },
    );
    this.#reader.start(peeked);
  }

  #begin(offer: Offer): void {
    this.#reader = undefined;
    const { choices, asksCertificate: asks, requiresCertificate } = this.#context;
    const { config, alpn } = this.#tls;
    const chosen =
      choices.length === 1
        ? choices[0].value
        : chooseCertificate(choices, offer, config.scansAllOnSniMismatch);
    // OpenSSL ends the handshake when no protocol is common, BoringSSL in Envoy goes on without.
    const isCommon = alpn !== undefined && offer.alpn.some((name) => config.alpn.includes(name));
    const socket = new TLSSocket(this.#connection.socket, {
      isServer: true,
      secureContext: chosen.context,
      requestCert: asks,
      rejectUnauthorized: requiresCertificate,
      ...(isCommon ? { ALPNProtocols: alpn } : {}),
    });
    this.#socket = socket;
    socket.once("secure", () => this.#onSecure(socket, chosen.certificate));
    socket.once("error", (error) => this.#onError(error));
    socket.once("end", this.#onEnd);
    socket.once("close", () => this.#finish(undefined));
  }

  /** The client ends before it is in. */
  readonly #onEnd = (): void => this.destroy(true);

  #onError(error: Error): void {
    const { counters } = this.#tls.stats;
    const reason = libraryError(error);
    if (reason === undefined) return;
    if (reason.includes("PEER_DID_NOT_RETURN_A_CERTIFICATE")) counters["ssl.fail_verify_no_cert"]++;
    else counters["ssl.connection_error"]++;
    this.#connection.transportFailure = formatTlsError(reason);
  }

  #onSecure(socket: TLSSocket, local: Certificate): void {
    const { stats } = this.#tls;
    const { validator, asksCertificate: asks, requiresCertificate } = this.#context;
    const peer = asks ? readPeer(socket) : undefined;
    const handle = tlsHandle(socket);
    let isPeerValidated = false;
    if (peer === undefined) {
      // A session may be resumed whose client had none when that was allowed.
      if (requiresCertificate) {
        stats.counters["ssl.fail_verify_no_cert"]++;
        this.#connection.transportFailure = formatTlsError("PEER_DID_NOT_RETURN_A_CERTIFICATE");
        return this.destroy(true);
      }
    } else if (validator !== undefined) {
      const chainError = validator.checkChain(peer, handle?.verifyError() ?? undefined);
      const refusal = validator.verify(peer, chainError, stats);
      if (refusal !== undefined) {
        this.#connection.transportFailure = formatTlsError(`CERTIFICATE_VERIFY_FAILED:${refusal}`);
        return this.destroy(true);
      }
      isPeerValidated = validator.validates && chainError === undefined;
    }
    const info = new SessionInfo(socket, { peer, isPeerValidated, local });
    countHandshake(stats, info, handle?.isSessionReused() === true);
    const connection = this.#connection;
    connection.tls = info;
    connection.serverName ||= readServerName(socket);
    this.#finish((owner) => adoptTls(socket, this.#tls.deps.context.readBuffer, owner));
  }

  #finish(adopt: Adopt | undefined): void {
    if (this.#isDone) return;
    this.#isDone = true;
    this.#onDone(adopt);
    if (adopt === undefined) this.#connection.socket.destroy();
  }

  /** Ends it; `tells` whoever waits, as for a peer that was refused. */
  destroy(tells = false): void {
    this.#reader?.stop();
    this.#socket?.destroy();
    if (tells) this.#finish(undefined);
    this.#isDone = true;
    this.#connection.socket.destroy();
  }
}

function readServerName(socket: TLSSocket): string {
  const name = tlsHandle(socket)?.getServername();
  return typeof name === "string" ? name.toLowerCase() : "";
}
