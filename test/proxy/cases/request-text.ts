/** The Host of most cases. */
export const HOST_LINE = "Host: a.test\r\n";

/** A GET; `lines` are header lines with their ends. */
export function get(path: string, lines = ""): string {
  return `GET ${path} HTTP/1.1\r\n${HOST_LINE}${lines}\r\n`;
}

/** A POST with whatever body. */
export function post(path: string, lines: string, body = ""): string {
  return `POST ${path} HTTP/1.1\r\n${HOST_LINE}${lines}\r\n${body}`;
}
