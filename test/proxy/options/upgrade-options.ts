import { get, post } from "../cases/request-text.ts";
import type { OptionCase } from "../side-by-side.ts";

const WEBSOCKET = "Connection: Upgrade\r\nUpgrade: websocket\r\n";
const SCRIPTS: OptionCase["scripts"] = {
  "/ws": {
    send:
      "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n" +
      "frame",
    end: "fin",
  },
  "/100": {
    send: "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
    isEarly: true,
  },
  "/103": {
    send: "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
  },
};

/** Upgrades of routes and of the listener. */
const UPGRADES: readonly OptionCase[] = [
  [true, undefined],
  [true, false],
  [false, true],
  [undefined, false],
  [undefined, true],
].flatMap(([ofListener, ofRoute]) =>
  ["/ws", "/no"].map((path) => {
    const configs = (enabled: boolean | undefined): object =>
      enabled === undefined ? {} : { upgrade_configs: [{ upgrade_type: "WebSocket", enabled }] };
    const isAllowed = ofRoute ?? ofListener === true;
    return {
      name: `websocket of ${path}: listener ${ofListener}, route ${ofRoute}`,
      options: configs(ofListener),
      scripts: SCRIPTS,
      routes: [{ match: { prefix: path }, route: { cluster: "up", ...configs(ofRoute) } }],
      send: get(path, WEBSOCKET),
      status: [!isAllowed ? 403 : path === "/ws" ? 101 : 200],
    };
  }),
);

/** Who says that the client may send its body. */
const CONTINUES: readonly OptionCase[] = [false, true].flatMap((proxies) => [
  {
    name: `proxy_100_continue ${proxies}, the upstream says so`,
    options: { proxy_100_continue: proxies },
    scripts: SCRIPTS,
    send: post("/100", "Expect: 100-continue\r\nContent-Length: 2\r\n", ""),
    status: [100, 200],
  },
  {
    name: `proxy_100_continue ${proxies}, nobody asked`,
    options: { proxy_100_continue: proxies },
    scripts: SCRIPTS,
    send: get("/103"),
    status: proxies ? [103, 200] : [200],
  },
]);

/** What a client says before it knows that the protocol has changed. */
const EARLY: readonly OptionCase[] = [
  ["with the head", [`${get("/echo", WEBSOCKET)}early`]],
  ["right behind the head", [get("/echo", WEBSOCKET), "early"]],
  ["of a refused upgrade, like a request", [get("/no", WEBSOCKET) + get("/smuggled")]],
  ["in pieces of a refused upgrade", [get("/no", WEBSOCKET), get("/smuggled"), get("/more")]],
  ["of a refused upgrade", [`${get("/no", WEBSOCKET)}early`]],
].map(([name, send]) => ({
  name: `early data ${String(name)}`,
  options: { upgrade_configs: [{ upgrade_type: "websocket" }] },
  scripts: {
    "/echo": {
      send: "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nframe",
      end: "fin",
    },
  },
  send: send as readonly string[],
  status: [String(name).includes("refused") ? 200 : 101],
}));

/** What connection managers do about protocols that change, and bodies that wait. */
export const UPGRADE_OPTIONS: readonly OptionCase[] = [...UPGRADES, ...CONTINUES, ...EARLY];
