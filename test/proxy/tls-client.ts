import { once } from "node:events";
import { type ConnectionOptions, connect, type TLSSocket } from "node:tls";

/** What a client saw of a connection and of one request on it. */
export interface TlsAnswer {
  readonly isConnected: boolean;
  /** "" when there was no answer. */
  readonly status: string;
  readonly text: string;
  readonly protocol: string;
  readonly cipher: string;
  readonly alpn: string;
  /** The common name of the server's certificate. */
  readonly server: string;
  readonly isReused: boolean;
  /** The alert or system error that ended it; "" for none. */
  readonly error: string;
  readonly session: Buffer | undefined;
}

/** Connects with OpenSSL, asks for `/`, and waits for the answer or the end. */
export async function askTls(
  port: number,
  options: ConnectionOptions = {},
  headers = "",
): Promise<TlsAnswer> {
  const socket = connect({ port, host: "127.0.0.1", rejectUnauthorized: false, ...options });
  let error = "";
  let text = "";
  let isConnected = false;
  let session: Buffer | undefined;
  let seen = { protocol: "", cipher: "", alpn: "", server: "", isReused: false };
  socket.on("error", (cause: NodeJS.ErrnoException) => {
    error = describe(cause);
  });
  socket.on("session", (bytes: Buffer) => {
    session = bytes;
  });
  socket.on("secureConnect", () => {
    isConnected = true;
    seen = describeSession(socket);
    socket.write(`GET / HTTP/1.1\r\nhost: a\r\n${headers}connection: close\r\n\r\n`);
  });
  socket.on("data", (bytes: Buffer) => {
    text += bytes.toString("latin1");
  });
  socket.setTimeout(10_000, () => socket.destroy(new Error("timeout")));
  await once(socket, "close").catch(() => undefined);
  const status = /^HTTP\/1\.1 (\d+)/.exec(text)?.[1] ?? "";
  return { isConnected, status, text, ...seen, error, session };
}

function describeSession(socket: TLSSocket): {
  protocol: string;
  cipher: string;
  alpn: string;
  server: string;
  isReused: boolean;
} {
  const { subject } = socket.getPeerCertificate();
  return {
    protocol: socket.getProtocol() ?? "",
    cipher: socket.getCipher().name,
    alpn: typeof socket.alpnProtocol === "string" ? socket.alpnProtocol : "",
    server: typeof subject?.CN === "string" ? subject.CN : "",
    isReused: socket.isSessionReused(),
  };
}

/** An alert by its number, the same in every library's words. */
function describe(error: NodeJS.ErrnoException): string {
  const alert = /SSL alert number (\d+)/.exec(error.message)?.[1];
  return alert === undefined ? (error.code ?? error.message) : `alert ${alert}`;
}
