import { create, type MessageShape } from "@bufbuild/protobuf";
import { RetryPolicySchema } from "../api/gen/envoy/config/route/v3/route_components_pb.js";
import { PreviousHostsPredicateSchema } from "../api/gen/envoy/extensions/retry/host/previous_hosts/v3/previous_hosts_pb.js";
import { PreviousPrioritiesConfigSchema } from "../api/gen/envoy/extensions/retry/priority/previous_priorities/v3/previous_priorities_config_pb.js";
import { packAny } from "../api/type-url.ts";
import { memoise } from "../base/memo.ts";
import type { RetryPolicy } from "../model/route.ts";
import { duration } from "./wire.ts";

/** How often another host is drawn when it has been tried already (Istio's). */
const HOST_SELECTION_ATTEMPTS = 5n;
/** After how many attempts priorities that were tried count less (Istio's). */
const PRIORITY_UPDATE_FREQUENCY = 2;

const PREVIOUS_HOSTS = packAny(PreviousHostsPredicateSchema, create(PreviousHostsPredicateSchema));

const PREVIOUS_PRIORITIES = packAny(
  PreviousPrioritiesConfigSchema,
  create(PreviousPrioritiesConfigSchema, { updateFrequency: PRIORITY_UPDATE_FREQUENCY }),
);

/** A retry policy on the wire; one message for all routes that have it. */
export const retryPolicy = memoise(
  (policy: RetryPolicy): MessageShape<typeof RetryPolicySchema> => {
    const { conditions, statusCodes, attempts, perTryTimeoutMs, backoffMs } = policy;
    return create(RetryPolicySchema, {
      retryOn: conditions,
      retriableStatusCodes: [...statusCodes],
      numRetries: attempts,
      ...(perTryTimeoutMs > 0 && { perTryTimeout: duration(perTryTimeoutMs) }),
      ...(backoffMs !== undefined && { retryBackOff: { baseInterval: duration(backoffMs) } }),
      ...(policy.isElsewhere && {
        retryHostPredicate: [
          {
            name: "envoy.retry_host_predicates.previous_hosts",
            configType: { case: "typedConfig", value: PREVIOUS_HOSTS },
          },
        ],
        hostSelectionRetryMaxAttempts: HOST_SELECTION_ATTEMPTS,
      }),
      ...(policy.isInOtherLocalities && {
        retryPriority: {
          name: "envoy.retry_priorities.previous_priorities",
          configType: { case: "typedConfig", value: PREVIOUS_PRIORITIES },
        },
      }),
    });
  },
);
