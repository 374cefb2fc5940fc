import { type CidrRange, compileCidrSearch } from "../base/cidr.ts";
import type { ConnectionInfo } from "./connection-info.ts";
import type { FilterChainMatch } from "./filter-chain-match.ts";
import type { MatchRecorder } from "./match-request.ts";

/** A filter chain, as far as choosing one goes. */
export interface FilterChainCriteria {
  readonly name: string;
  readonly match: FilterChainMatch;
}

/** Finds the chain of a connection; `undefined` when none takes it. */
export type FilterChainSearch<Chain> = (
  connection: ConnectionInfo,
  recorder?: MatchRecorder,
) => Chain | undefined;

type Find<Chain> = (connection: ConnectionInfo) => Chain | undefined;

/** One thing that a chain asks at a step; "" asks for nothing. */
interface Ask {
  readonly text: string;
  readonly range?: CidrRange;
}

/** What chains ask at one step, and where the choice goes on with each. */
type Branches<Chain> = ReadonlyMap<string, { readonly ask: Ask; readonly find: Find<Chain> }>;

/** One step of the choice. */
interface Step {
  /** What it looks at, for people. */
  readonly name: string;
  /** What a chain asks here; empty: nothing. */
  readonly asks: (match: FilterChainMatch) => readonly Ask[];
  /** Chooses among branches; `any` is for those that ask nothing. */
  readonly compile: <Chain>(branches: Branches<Chain>, any: Find<Chain>) => Find<Chain>;
}

/** A chain behind all that it asks, or the branches to it. */
interface Tree<Chain> {
  readonly branches: Map<string, { readonly ask: Ask; readonly tree: Tree<Chain> }>;
  chain: Chain | undefined;
}

/**
 * Compiles the choice of a filter chain in Envoy's order (`FilterChainMatch` in its API): each step
 * takes the most specific of what the chains ask, and does not come back to try another.
 * `onOverlap` is told of a chain for which another one would be chosen just as well; Envoy refuses
 * the listener for it.
 */
export function compileFilterChainSearch<Chain extends FilterChainCriteria>(
  chains: readonly Chain[],
  onOverlap: (chain: Chain) => void,
): FilterChainSearch<Chain> {
  const root = emptyTree<Chain>();
  for (const chain of chains) if (!insert(root, chain, 0)) onOverlap(chain);
  const find = compileTree(root, 0);
  return (connection, recorder) => {
    const found = find(connection);
    if (recorder !== undefined) recordLosses(chains, found, connection, recorder);
    return found;
  };
}

const NOTHING: readonly Ask[] = [{ text: "" }];

/** False when something stands there already. */
function insert<Chain extends FilterChainCriteria>(
  tree: Tree<Chain>,
  chain: Chain,
  depth: number,
): boolean {
  const step = STEPS[depth];
  if (step === undefined) {
    const isFree = tree.chain === undefined;
    tree.chain ??= chain;
    return isFree;
  }
  const asks = step.asks(chain.match);
  let isFree = true;
  for (const ask of asks.length === 0 ? NOTHING : asks) {
    const next = tree.branches.get(ask.text)?.tree ?? emptyTree<Chain>();
    tree.branches.set(ask.text, { ask, tree: next });
    if (!insert(next, chain, depth + 1)) isFree = false;
  }
  return isFree;
}

function emptyTree<Chain>(): Tree<Chain> {
  return { branches: new Map(), chain: undefined };
}

function compileTree<Chain>(tree: Tree<Chain>, depth: number): Find<Chain> {
  const step = STEPS[depth];
  if (step === undefined) return () => tree.chain;
  const branches = new Map(
    [...tree.branches].map(([text, { ask, tree: next }]) => [
      text,
      { ask, find: compileTree(next, depth + 1) },
    ]),
  );
  const any = branches.get("")?.find ?? (() => undefined);
  branches.delete("");
  // What nobody asks about is not looked at.
  return branches.size === 0 ? any : step.compile(branches, any);
}

/** By one value of the connection. */
function byValue(read: (connection: ConnectionInfo) => string): Step["compile"] {
  return (branches, any) => (connection) =>
    (branches.get(read(connection))?.find ?? any)(connection);
}

/** By the smallest block that holds an address. */
function byAddress(read: (connection: ConnectionInfo) => string): Step["compile"] {
  return (branches, any) => {
    const search = compileCidrSearch(
      [...branches.values()].flatMap(({ ask: { range }, find }) =>
        range === undefined ? [] : [[range, find] as const],
      ),
    );
    return (connection) => (search(ipOf(read(connection))) ?? any)(connection);
  };
}

/** The end of a Unix socket counts as this address, as with Envoy. */
function ipOf(address: string): string {
  return address === "" || address.startsWith("/") ? "255.255.255.255" : address;
}

/** The exact name first, then wildcards, longer ones before shorter ones. */
const compileServerName: Step["compile"] = (branches, any) => (connection) => {
  const { serverName } = connection;
  const exact = branches.get(serverName);
  if (exact !== undefined) return exact.find(connection);
  // The star stands for at least one character, and something must stand behind the dot.
  for (let dot = serverName.indexOf(".", 1); dot !== -1; dot = serverName.indexOf(".", dot + 1)) {
    if (dot >= serverName.length - 1) break;
    const wildcard = branches.get(`*${serverName.substring(dot)}`);
    if (wildcard !== undefined) return wildcard.find(connection);
  }
  return any(connection);
};

/** The first protocol of the client's list that a chain asks for. */
const compileProtocol: Step["compile"] = (branches, any) => (connection) => {
  for (const protocol of connection.applicationProtocols) {
    const found = branches.get(protocol);
    if (found !== undefined) return found.find(connection);
  }
  return any(connection);
};

const compileSourceType: Step["compile"] = (branches, any) => (connection) =>
  (branches.get(isLocal(connection) ? "local" : "external")?.find ?? any)(connection);

/** From the machine itself: a Unix socket, the loopback address, or one address for both ends. */
function isLocal({ remote, local }: ConnectionInfo): boolean {
  const { address } = remote;
  if (address === "" || address === "127.0.0.1" || address === "::1") return true;
  return address === local.address;
}

const ask = (text: string): Ask => ({ text });
const askRange = (range: CidrRange): Ask => ({ text: range.text, range });

const STEPS: readonly Step[] = [
  {
    name: "destination port",
    asks: ({ destinationPort: port }) => (port === undefined ? [] : [ask(String(port))]),
    compile: byValue(({ local }) => String(local.port)),
  },
  {
    name: "destination address",
    asks: ({ destinationRanges }) => destinationRanges.map(askRange),
    compile: byAddress(({ local }) => local.address),
  },
  {
    name: "server name",
    asks: ({ serverNames }) => serverNames.map(ask),
    compile: compileServerName,
  },
  {
    name: "transport protocol",
    asks: ({ transportProtocol: name }) => (name === "" ? [] : [ask(name)]),
    compile: byValue(({ transportProtocol }) => transportProtocol),
  },
  {
    name: "application protocols",
    asks: ({ applicationProtocols }) => applicationProtocols.map(ask),
    compile: compileProtocol,
  },
  {
    name: "directly connected source address",
    asks: ({ directSourceRanges }) => directSourceRanges.map(askRange),
    compile: byAddress(({ directRemote }) => directRemote.address),
  },
  {
    name: "source type",
    asks: ({ sourceType }) => (sourceType === "any" ? [] : [ask(sourceType)]),
    compile: compileSourceType,
  },
  {
    name: "source address",
    asks: ({ sourceRanges }) => sourceRanges.map(askRange),
    compile: byAddress(({ remote }) => remote.address),
  },
  {
    name: "source port",
    asks: ({ sourcePorts }) => sourcePorts.map((port) => ask(String(port))),
    compile: byValue(({ remote }) => String(remote.port)),
  },
];

function recordLosses<Chain extends FilterChainCriteria>(
  chains: readonly Chain[],
  found: Chain | undefined,
  connection: ConnectionInfo,
  recorder: MatchRecorder,
): void {
  for (const chain of chains) {
    if (chain === found) continue;
    const lost = STEPS.find((step) => !takes(step, chain.match, connection));
    const why = lost?.name ?? "another chain asks for something more specific";
    recorder.lost(`filter chain ${chain.name}`, why);
  }
}

/** Whether a chain, by itself, takes a connection at one step. */
function takes(step: Step, match: FilterChainMatch, connection: ConnectionInfo): boolean {
  const asks = step.asks(match);
  if (asks.length === 0) return true;
  const branches = new Map(asks.map((one) => [one.text, { ask: one, find: () => true }]));
  return step.compile<boolean>(branches, () => undefined)(connection) === true;
}
