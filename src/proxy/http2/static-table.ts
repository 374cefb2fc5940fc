/** The entries of HPACK's static table (RFC 7541, Appendix A) from index 1: name, value, name, value… */
export const STATIC_TABLE: readonly string[] = [
  ...[":authority", "", ":method", "GET", ":method", "POST", ":path", "/"],
  ...[":path", "/index.html", ":scheme", "http", ":scheme", "https"],
  ...["200", "204", "206", "304", "400", "404", "500"].flatMap((status) => [":status", status]),
  ...["accept-charset", "", "accept-encoding", "gzip, deflate"],
  ...[
    ..."accept-language accept-ranges accept access-control-allow-origin age allow".split(" "),
    ..."authorization cache-control content-disposition content-encoding".split(" "),
    ..."content-language content-length content-location content-range content-type".split(" "),
    ..."cookie date etag expect expires from host if-match if-modified-since".split(" "),
    ..."if-none-match if-range if-unmodified-since last-modified link location".split(" "),
    ..."max-forwards proxy-authenticate proxy-authorization range referer refresh".split(" "),
    ..."retry-after server set-cookie strict-transport-security transfer-encoding".split(" "),
    ..."user-agent vary via www-authenticate".split(" "),
  ].flatMap((name) => [name, ""]),
];

/** How many entries that are: what follows is the dynamic table. */
export const STATIC_COUNT = STATIC_TABLE.length / 2;

/** What an entry counts beside its name and value (RFC 7541 4.1). */
export const ENTRY_OVERHEAD = 32;
