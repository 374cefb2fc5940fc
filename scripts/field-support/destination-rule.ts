import type { SupportTable } from "./entry.ts";
import { works, worksOnEnvoy } from "./entry.ts";

const GOLDEN = "test/golden";
const POLICY = "spec.trafficPolicy";
const POOL = `${POLICY}.connectionPool`;

/** DestinationRule. */
export const DESTINATION_RULE: SupportTable = {
  spec: works(),
  "spec.host": works(`${GOLDEN}/rule-lookup`),
  "spec.subsets": works(`${GOLDEN}/all-v1`),
  "spec.exportTo": works("src/model/destination-rule.test.ts"),
  "spec.workloadSelector": works(`${GOLDEN}/policy-workload-selector`),
  [`${POLICY}.loadBalancer`]: works(`${GOLDEN}/policy-load-balancers`),
  [`${POLICY}.loadBalancer.consistentHash`]: works(
    `${GOLDEN}/route-hash`,
    `${GOLDEN}/policy-load-balancers`,
  ),
  [`${POLICY}.loadBalancer.localityLbSetting`]: works(
    `${GOLDEN}/endpoint-distribute`,
    `${GOLDEN}/endpoint-failover`,
    `${GOLDEN}/endpoint-failover-priority`,
  ),
  [POOL]: works(`${GOLDEN}/policy-connection-pool`),
  [`${POOL}.http.h2UpgradePolicy`]: works(`${GOLDEN}/policy-connection-pool`),
  [`${POOL}.http.maxConcurrentStreams`]: works(`${GOLDEN}/policy-connection-pool`),
  [`${POOL}.http.http2KeepAlive`]: works(`${GOLDEN}/policy-connection-pool`),
  [`${POOL}.http.useClientProtocol`]: works(`${GOLDEN}/policy-connection-pool`),
  [`${POLICY}.outlierDetection`]: works(`${GOLDEN}/policy-outlier-detection`),
  [`${POLICY}.tls`]: works(`${GOLDEN}/policy-tls`, `${GOLDEN}/policy-tls-without-certificates`),
  [`${POLICY}.tls.credentialName`]: worksOnEnvoy(
    "warning: needs certificates, which proxies of this mesh are not given yet: no connection is made, instead of one without TLS",
    `${GOLDEN}/policy-tls`,
    `${GOLDEN}/policy-tls-without-certificates`,
  ),
  [`${POLICY}.portLevelSettings`]: works(`${GOLDEN}/policy-connection-pool`),
  [`${POLICY}.proxyProtocol`]: works(`${GOLDEN}/policy-proxy-protocol`),
  [`${POLICY}.retryBudget`]: works(`${GOLDEN}/policy-proxy-protocol`),
};
