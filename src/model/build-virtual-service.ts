import type { Issue } from "../base/issue.ts";
import { memoise } from "../base/memo.ts";
import type { Delegate } from "../config/http-route.ts";
import { keyOf, keyText } from "../config/object.ts";
import type { VirtualService as VirtualServiceObject } from "../config/virtual-service.ts";
import { resolveHost } from "./host.ts";
import { DEFAULT_SETTINGS } from "./mesh-settings.ts";
import { writtenRules } from "./virtual-service/delegation.ts";
import { buildHttpRule } from "./virtual-service/http-rule.ts";
import { buildTcpRule, buildTlsRule } from "./virtual-service/l4-rule.ts";
import { MESH_GATEWAY, resolveGateway, type VirtualService } from "./virtual-service.ts";
import { resolveVisibility } from "./visibility.ts";

/** The objects of a mesh's VirtualServices by `namespace/name`, for those that delegate. */
export type VirtualServiceIndex = ReadonlyMap<string, VirtualServiceObject>;

/** Indexes objects for `buildVirtualService`. */
export const indexVirtualServices = memoise(
  (objects: readonly VirtualServiceObject[]): VirtualServiceIndex =>
    new Map(
      objects.map((object) => [
        `${object.metadata.namespace ?? ""}/${object.metadata.name}`,
        object,
      ]),
    ),
);

/** What the mesh says where an object says nothing. */
export interface VirtualServiceOptions {
  readonly exportTo?: readonly string[];
  /** Those that the object may delegate to; none: rules that delegate are left out. */
  readonly others?: VirtualServiceIndex;
}

const NO_OTHERS: VirtualServiceIndex = new Map();

/**
 * The VirtualService of an object. The same value for as long as the object and those that it
 * delegates to stay the same.
 */
export function buildVirtualService(
  object: VirtualServiceObject,
  {
    exportTo = DEFAULT_SETTINGS.exportTo.virtualService,
    others = NO_OTHERS,
  }: VirtualServiceOptions = {},
): VirtualService {
  const delegates = delegatesOf(object).map((name) => others.get(name) ?? name);
  return build(object, exportTo, ...delegates);
}

/** The objects that rules delegate to, each once, in order. */
const delegatesOf = memoise((object: VirtualServiceObject): readonly string[] => {
  const names = (object.spec.http ?? []).flatMap(({ delegate }) =>
    delegate === undefined ? [] : [delegateName(object, delegate)],
  );
  return [...new Set(names)];
});

function delegateName(
  { metadata }: VirtualServiceObject,
  { name = "", namespace = "" }: Delegate,
): string {
  return `${namespace === "" ? (metadata.namespace ?? "") : namespace}/${name}`;
}

const build = memoise(
  (
    object: VirtualServiceObject,
    exportTo: readonly string[],
    // A name stands for an object that is not there.
    ...delegates: readonly (VirtualServiceObject | string)[]
  ): VirtualService => {
    const key = keyOf(object);
    const { namespace } = key;
    const { hosts = [], gateways = [], tls = [], tcp = [] } = object.spec;
    const issues: Issue[] = [];
    const known = indexVirtualServices(delegates.filter((one) => typeof one !== "string"));
    const rules = writtenRules(
      object,
      ({ delegate }) => delegate && known.get(delegateName(object, delegate)),
      exportTo,
      issues,
    ).flatMap((rule) => {
      const own: Issue[] = [];
      const built = buildHttpRule(rule, own);
      // What is wrong with a delegate's rule is said of the delegate.
      if (keyText(rule.key) === keyText(key)) issues.push(...own);
      return built;
    });
    return {
      key,
      object,
      namespace,
      visibility: resolveVisibility(object.spec.exportTo, namespace, exportTo),
      hosts: hosts.map((host) => resolveHost(host, namespace)),
      gateways:
        gateways.length === 0
          ? [MESH_GATEWAY]
          : gateways.map((name) => resolveGateway(name, namespace)),
      rules,
      tlsRules: tls.flatMap((route, index) =>
        buildTlsRule(route, `spec.tls[${index}]`, namespace, issues),
      ),
      tcpRules: tcp.flatMap((route, index) =>
        buildTcpRule(route, `spec.tcp[${index}]`, namespace, issues),
      ),
      issues,
    };
  },
);
