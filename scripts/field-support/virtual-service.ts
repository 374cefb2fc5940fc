import type { SupportTable } from "./entry.ts";
import { says, works } from "./entry.ts";

const RULES = "src/config/virtual-service.test.ts";
const GOLDEN = "test/golden";
const CALLS = "test/behaviour/behaviour.test.ts";
const ISTIO = "test/routing/simulation-cases.test.ts";

/** VirtualService. */
export const VIRTUAL_SERVICE: SupportTable = {
  spec: works(),
  "spec.hosts": works(`${GOLDEN}/wildcard-host`, `${GOLDEN}/one-host-twice`, ISTIO),
  "spec.gateways": works(`${GOLDEN}/gateway-merged`, ISTIO),
  "spec.http": works(CALLS, ISTIO),
  "spec.http[].match": works(`${GOLDEN}/match-conditions`, CALLS),
  "spec.http[].match[].sourceLabels": works(`${GOLDEN}/route-sources`),
  "spec.http[].match[].sourceNamespace": works(`${GOLDEN}/route-sources`),
  "spec.http[].route[].weight": works(`${GOLDEN}/weights`, CALLS),
  "spec.http[].route[].headers": works(`${GOLDEN}/route-headers`),
  "spec.http[].redirect": works(`${GOLDEN}/route-answer`),
  "spec.http[].directResponse": works(`${GOLDEN}/route-answer`),
  "spec.http[].delegate": works(
    `${GOLDEN}/route-delegate`,
    "src/model/virtual-service/delegation.test.ts",
  ),
  "spec.http[].rewrite": works(`${GOLDEN}/route-rewrite`),
  "spec.http[].timeout": works(`${GOLDEN}/route-retries`),
  "spec.http[].retries": works(`${GOLDEN}/route-retries`),
  "spec.http[].fault": works(`${GOLDEN}/route-cors-fault`),
  "spec.http[].fault.delay.exponentialDelay": says(
    "refused: is not supported, by Envoy neither: use fixedDelay",
    RULES,
  ),
  "spec.http[].fault.abort.http2Error": says(
    "refused: is not supported, by Envoy neither: use httpStatus or grpcStatus",
    RULES,
  ),
  "spec.http[].mirror": works(`${GOLDEN}/route-mirrors`),
  "spec.http[].mirrors": works(`${GOLDEN}/route-mirrors`),
  "spec.http[].mirrorPercent": works(`${GOLDEN}/route-mirrors`),
  "spec.http[].mirrorPercentage": works(`${GOLDEN}/route-mirrors`),
  "spec.http[].corsPolicy": works(`${GOLDEN}/route-cors-fault`),
  "spec.http[].headers": works(`${GOLDEN}/route-headers`),
  "spec.tls": works(ISTIO),
  "spec.tcp": works(ISTIO),
};
