/**
 * The bench's upstream: answers every request with 23 bytes, or with as many as its path says
 * (`/1024`). It reads requests without a body only, and does no more than it must, so that it is
 * not what is measured.
 */
import { createServer } from "node:net";

const HEAD_END = "\r\n\r\n";
const PATH_BYTES = /^GET \/(\d*) /;

function response(bytes: number): Buffer {
  return Buffer.from(
    `HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: ${bytes}\r\n\r\n${"x".repeat(bytes)}`,
  );
}

const responses = new Map<string, Buffer>();

function responseTo(head: string): Buffer {
  const path = PATH_BYTES.exec(head)?.[1] ?? "";
  let prepared = responses.get(path);
  if (prepared === undefined) {
    prepared = response(path === "" ? 23 : Number(path));
    responses.set(path, prepared);
  }
  return prepared;
}

createServer((socket) => {
  let pending = "";
  socket.setNoDelay(true);
  socket.on("data", (chunk) => {
    pending += chunk.toString("latin1");
    for (let end = pending.indexOf(HEAD_END); end !== -1; end = pending.indexOf(HEAD_END)) {
      socket.write(responseTo(pending));
      pending = pending.slice(end + HEAD_END.length);
    }
  });
  socket.on("error", () => socket.destroy());
}).listen(Number(process.argv[2]), "127.0.0.1");
