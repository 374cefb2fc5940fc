import { CellMap } from "../base/cell-map.ts";
import { type Cell, type CellGraph, isSameList } from "../base/cells.ts";
import type { Issue } from "../base/issue.ts";
import type { ObjectKey } from "../config/object.ts";
import type { DestinationRule } from "./destination-rule.ts";
import type { Gateway } from "./gateway.ts";
import type { Mesh } from "./mesh.ts";
import type { ObjectIssue } from "./origin.ts";
import {
  destinationRuleIssues,
  gatewayIssues,
  generalIssues,
  hostClaims,
  virtualServiceIssues,
  writtenGateways,
  writtenVirtualServices,
} from "./references.ts";
import type { VirtualService } from "./virtual-service.ts";

/** What is wrong between the objects of a mesh: each object is looked at again when something that it names changed. */
export function issueCells(graph: CellGraph, mesh: Mesh): Cell<readonly ObjectIssue[]> {
  const claims = new CellMap(
    graph,
    graph.cell(() => hostClaims(mesh.virtualServices)),
    isSameList,
  );
  const gateways = graph.family((one: Gateway) => about(one.key, gatewayIssues(one, mesh)));
  const rules = graph.family((one: DestinationRule) =>
    about(one.key, destinationRuleIssues(one, mesh)),
  );
  const virtualServices = graph.family((one: VirtualService) =>
    about(one.key, virtualServiceIssues(one, mesh, claims)),
  );
  const general = graph.cell(() => generalIssues(mesh));
  return graph.cell((): readonly ObjectIssue[] => {
    const issues = [...general.get()];
    const add = (found: readonly ObjectIssue[]): void => {
      for (const issue of found) issues.push(issue);
    };
    for (const one of writtenGateways(mesh)) add(gateways.get(one));
    for (const one of mesh.destinationRules) add(rules.get(one));
    for (const one of writtenVirtualServices(mesh)) add(virtualServices.get(one));
    return issues;
  }, isSameList);
}

const NONE: readonly ObjectIssue[] = [];

function about(object: ObjectKey, issues: readonly Issue[]): readonly ObjectIssue[] {
  return issues.length === 0 ? NONE : issues.map((issue) => ({ object, issue }));
}
