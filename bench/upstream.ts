/**
 * The bench's upstream: answers every request with 23 bytes, or with as many as its path says
 * (`/1024`, or compressed `/gzip/1024`), after it has read a body of known length. It does no more than it must, so that it is
 * not what is measured.
 */
import { createServer, type Socket } from "node:net";
import { gzipSync } from "node:zlib";

const HEAD_END = "\r\n\r\n";
const PATH_BYTES = /^\w+ \/(?:\S*\/)?(\d*) /;
const GZIP_PATH = /^\w+ \/gzip\//;
const CONTENT_LENGTH = /\r\ncontent-length: *(\d+)/i;
/** A head is looked for in so many bytes of a read; what follows is body. */
const HEAD_BYTES_MAX = 16_384;

/** Text that can be compressed as well as what is served usually can, not any better. */
function bodyText(bytes: number): string {
  let text = "";
  for (let at = 0; text.length < bytes; at++) {
    text += `{"id":${(at * 7919) % 10_007},"name":"item ${at}","price":${(at * 104_729) % 9973}},\n`;
  }
  return text.slice(0, bytes);
}

function response(bytes: number, isGzip: boolean): Buffer {
  const text = Buffer.from(bodyText(bytes));
  const body = isGzip ? gzipSync(text) : text;
  const encoding = isGzip ? "content-encoding: gzip\r\n" : "";
  const head = `HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n${encoding}content-length: ${body.length}`;
  return Buffer.concat([Buffer.from(`${head}${HEAD_END}`), body]);
}

const responses = new Map<string, Buffer>();

function responseTo(head: string): Buffer {
  const size = PATH_BYTES.exec(head)?.[1] ?? "";
  const isGzip = GZIP_PATH.test(head);
  const key = isGzip ? `gzip ${size}` : size;
  let prepared = responses.get(key);
  if (prepared === undefined) {
    prepared = response(size === "" ? 23 : Number(size), isGzip);
    responses.set(key, prepared);
  }
  return prepared;
}

function serve(socket: Socket): void {
  let pending = "";
  /** Bytes of the request's body that have not come. */
  let bodyLeft = 0;
  let head = "";
  socket.setNoDelay(true);
  socket.on("data", (chunk: Buffer) => {
    let at = 0;
    while (at < chunk.length) {
      if (bodyLeft > 0) {
        const taken = Math.min(bodyLeft, chunk.length - at);
        bodyLeft -= taken;
        at += taken;
      } else {
        const text = pending + chunk.toString("latin1", at, at + HEAD_BYTES_MAX);
        const end = text.indexOf(HEAD_END);
        if (end === -1) {
          pending = text;
          return;
        }
        at += end + HEAD_END.length - pending.length;
        pending = "";
        head = text.slice(0, end);
        bodyLeft = head.startsWith("GET") ? 0 : Number(CONTENT_LENGTH.exec(head)?.[1] ?? 0);
      }
      if (bodyLeft === 0) socket.write(responseTo(`${head} `));
    }
  });
  socket.on("error", () => socket.destroy());
}

createServer(serve).listen({ port: Number(process.argv[2]), host: "127.0.0.1", backlog: 4096 });
