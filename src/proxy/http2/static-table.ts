/** The entries of HPACK's static table (RFC 7541, Appendix A): each a name and, behind a blank, a value. */
const ENTRIES =
  ":authority|:method GET|:method POST|:path /|:path /index.html|:scheme http|:scheme https|" +
  ":status 200|:status 204|:status 206|:status 304|:status 400|:status 404|:status 500|" +
  "accept-charset|accept-encoding gzip, deflate|accept-language|accept-ranges|accept|" +
  "access-control-allow-origin|age|allow|authorization|cache-control|content-disposition|" +
  "content-encoding|content-language|content-length|content-location|content-range|content-type|" +
  "cookie|date|etag|expect|expires|from|host|if-match|if-modified-since|if-none-match|if-range|" +
  "if-unmodified-since|last-modified|link|location|max-forwards|proxy-authenticate|" +
  "proxy-authorization|range|referer|refresh|retry-after|server|set-cookie|" +
  "strict-transport-security|transfer-encoding|user-agent|vary|via|www-authenticate";

/** The same from index 1: name, value, name, value… */
export const STATIC_TABLE: readonly string[] = ENTRIES.split("|").flatMap((entry) => {
  const [name = "", ...value] = entry.split(" ");
  return [name, value.join(" ")];
});

/** How many entries that are: what follows is the dynamic table. */
export const STATIC_COUNT = STATIC_TABLE.length / 2;

/** What an entry counts beside its name and value (RFC 7541 4.1). */
export const ENTRY_OVERHEAD = 32;
