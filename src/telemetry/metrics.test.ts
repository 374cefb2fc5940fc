import { describe, expect, test } from "vitest";
import { MetricRegistry, SERIES_MAX } from "./metrics.ts";

describe("MetricRegistry", () => {
  test("`text()` writes counters and gauges with sorted, escaped labels", () => {
    const metrics = new MetricRegistry();
    metrics.add("pilot_xds_pushes", { type: "cds" });
    metrics.add("pilot_xds_pushes", { type: "cds" }, 2);
    metrics.set("pilot_xds", 4, { version: 'a"b\n', cluster: "c\\d" });
    expect(metrics.text()).toBe(
      [
        "# HELP pilot_xds Number of proxies connected over xDS, by the Istio version that they say they are of.",
        "# TYPE pilot_xds gauge",
        'pilot_xds{cluster="c\\\\d",version="a\\"b\\n"} 4',
        "# HELP pilot_xds_pushes Responses sent to proxies, by resource type.",
        "# TYPE pilot_xds_pushes counter",
        'pilot_xds_pushes{type="cds"} 3',
        "",
      ].join("\n"),
    );
  });

  test("`observe()` fills cumulative buckets", () => {
    const metrics = new MetricRegistry();
    for (const value of [0.001, 0.02, 100]) metrics.observe("pilot_debounce_time", value);
    const lines = metrics.text().split("\n");
    expect(lines).toContain('pilot_debounce_time_bucket{le="0.005"} 1');
    expect(lines).toContain('pilot_debounce_time_bucket{le="0.025"} 2');
    expect(lines).toContain('pilot_debounce_time_bucket{le="30"} 2');
    expect(lines).toContain('pilot_debounce_time_bucket{le="+Inf"} 3');
    expect(lines).toContain("pilot_debounce_time_count 3");
  });

  test("`add()` drops and counts label combinations over the limit", () => {
    const metrics = new MetricRegistry();
    for (let index = 0; index < SERIES_MAX + 3; index++) {
      metrics.add("pilot_k8s_cfg_events", { type: String(index) });
    }
    expect(metrics.text()).toContain("weft_metric_series_dropped 3");
  });
});
