import type { Clock } from "../base/clock.ts";
import { KINDS } from "../config/kinds.ts";
import { formatKey, type KubeObject, keyOf, keyText, type ObjectKey } from "../config/object.ts";
import type { ConfigSource } from "../source/source.ts";
import type { ConfigView } from "../store/store.ts";
import type { Logger } from "../telemetry/log.ts";
import type { MetricRegistry } from "../telemetry/metrics.ts";
import type { XdsSnapshot } from "../xds/snapshot.ts";
import { Distribution } from "./distribution.ts";
import type { DistributionClient, DistributionView } from "./distribution-view.ts";
import type { Finding } from "./findings.ts";
import { buildRefusedChange, buildStatusChange } from "./object-conditions.ts";
import {
  distributionOf,
  type Laggard,
  laggardsOf,
  type ObjectDistribution,
} from "./object-distribution.ts";
import { ObjectStatusWriter, type WantedStatus } from "./object-status.ts";

/** How long one look at all proxies serves everybody who asks. */
const VIEW_MS_MAX = 20;

/** Kinds whose status has room for what is wrong with them, as Istio's have. */
const STATUS_KINDS = KINDS.filter(
  ({ schema }) => schema.properties?.["status"]?.properties?.["validationMessages"] !== undefined,
);

/** Its conditions say whether the workload is healthy, and shape the mesh. */
const KIND_WITHOUT_CONDITIONS = "WorkloadEntry";

/** What the board needs. */
export interface StatusBoardOptions {
  readonly source: ConfigSource;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: MetricRegistry;
  readonly clients: () => readonly DistributionClient[];
  readonly view: () => ConfigView;
}

/** How far one object has come, and who is behind. */
export interface DistributionAnswer extends ObjectDistribution {
  /** Whether there is such an object. */
  readonly isKnown: boolean;
  /** The version of it that is in the mesh; absent where its source counts none. */
  readonly generation?: number;
  /** The first hundred. */
  readonly laggards: readonly Laggard[];
}

/**
 * What there is to say of each object: whether it is right, in use, and with which proxies. Says it
 * to whoever asks, and in the object's status where its source keeps one.
 */
export class StatusBoard {
  readonly #options: StatusBoardOptions;
  readonly #distribution = new Distribution();
  readonly #writer: ObjectStatusWriter | undefined;
  /** By `keyText`. */
  #findings: ReadonlyMap<string, readonly Finding[]> = new Map();
  /** By `formatKey`, all that a refusal knows. */
  #refused: ReadonlyMap<string, readonly Finding[]> = new Map();
  /** By `keyText`: what was on its way when it was last looked at, or has other findings since. */
  #changed: ReadonlyMap<string, ObjectKey> = new Map();
  #look: { readonly view: DistributionView; readonly atMs: number } | undefined;

  constructor(options: StatusBoardOptions) {
    this.#options = options;
    const { source, clock, log, metrics } = options;
    if (source.writeStatus === undefined) return;
    this.#writer = new ObjectStatusWriter({
      clock,
      log,
      metrics,
      wanted: (isFull) => (isFull ? this.#allWanted() : this.#changedWanted()),
      isUnsettled: () => this.#view().isAnyBehind,
      write: async (change, signal) => source.writeStatus?.(change, signal),
    });
  }

  /** Objects changed, came or went. */
  noteChanged(keys: readonly ObjectKey[]): void {
    const view = this.#options.view();
    this.#distribution.noteChanged(keys, (key) => view.get(key) !== undefined);
    this.#look = undefined;
  }

  /** A mesh with all changes so far was built. */
  noteMesh(): void {
    this.#distribution.noteMesh();
    this.note();
  }

  /** A proxy's configuration was built from the mesh. */
  noteSnapshot(snapshot: XdsSnapshot): void {
    this.#distribution.noteSnapshot(snapshot);
  }

  /** The mesh that a configuration was built from, and the one there is. */
  epochsOf(snapshot: XdsSnapshot): { readonly built: number; readonly current: number } {
    return { built: this.#distribution.epochOf(snapshot), current: this.#distribution.epoch };
  }

  /** All that is wrong at present. */
  noteFindings(findings: readonly Finding[]): void {
    this.#findings = groupBy(findings, ({ key, isRefused }) =>
      key === undefined || isRefused === true ? undefined : keyText(key),
    );
    this.#refused = groupBy(findings, ({ object, isRefused }) =>
      isRefused === true ? object : undefined,
    );
    const told = findings.flatMap(({ key }): readonly [string, ObjectKey][] =>
      key === undefined ? [] : [[keyText(key), key]],
    );
    this.#changed = new Map([...this.#changed, ...told]);
    this.note();
  }

  /** Proxies came or went, or have something new. */
  note(): void {
    this.#look = undefined;
    this.#writer?.note();
  }

  /** How far every object has come that made something for a proxy; sorted by name. */
  objects(): readonly ObjectDistribution[] {
    const view = this.#view();
    return [...view.objects]
      .map((text) => distributionOf(view, parseKeyText(text)))
      .sort((left, right) => (left.object < right.object ? -1 : 1));
  }

  /** How far one object has come, at one proxy or at all; `undefined` when that is not connected. */
  answer(key: ObjectKey, proxy?: string): DistributionAnswer | undefined {
    const view = this.#view();
    const among = proxy === undefined ? undefined : view.proxiesNamed(proxy);
    if (proxy !== undefined && among === undefined) return undefined;
    const object = this.#options.view().get(key);
    const { generation } = object?.metadata ?? {};
    return {
      ...distributionOf(view, key, among),
      isKnown: object !== undefined,
      ...(generation !== undefined && { generation }),
      laggards: laggardsOf(view, key, among),
    };
  }

  /** Ends all writing. */
  async stop(): Promise<void> {
    await this.#writer?.stop();
  }

  #view(): DistributionView {
    const { clock, clients, metrics } = this.#options;
    const atMs = clock.monotonicMs();
    if (this.#look === undefined || atMs - this.#look.atMs > VIEW_MS_MAX) {
      const view = this.#distribution.look(clients(), clock.nowMs());
      metrics.set("weft_distribution_unconfirmed", this.#distribution.unconfirmed.size);
      this.#look = { view, atMs };
    }
    return this.#look.view;
  }

  /** Of what may have changed since it was last asked for; all that is refused is in the other. */
  *#changedWanted(): Iterable<WantedStatus> {
    this.#look = undefined;
    const keys = new Map([...this.#changed, ...this.#distribution.unconfirmed]);
    const view = this.#view();
    // What is confirmed by this look has news too.
    this.#changed = new Map(this.#distribution.unconfirmed);
    for (const key of keys.values()) {
      const { group, kind } = key;
      if (!STATUS_KINDS.some((one) => one.group === group && one.kind === kind)) continue;
      const object = this.#options.view().get(key);
      if (object !== undefined) yield this.#wantedOf(view, object);
    }
  }

  *#allWanted(): Iterable<WantedStatus> {
    this.#look = undefined;
    this.#changed = new Map(this.#distribution.unconfirmed);
    const view = this.#view();
    for (const { group, kind } of STATUS_KINDS) {
      for (const object of this.#options.view().list(group, kind)) {
        yield this.#wantedOf(view, object);
      }
    }
    for (const refused of this.#refused.values()) {
      const wanted = this.#wantedOfUnknown(refused);
      if (wanted !== undefined) yield wanted;
    }
  }

  /** Of an object that no version was good of; `undefined`: it has one, or nobody could be told. */
  #wantedOfUnknown(refused: readonly Finding[]): WantedStatus | undefined {
    const key = refused[0]?.key;
    if (key === undefined || this.#options.view().get(key) !== undefined) return undefined;
    const { group, kind } = key;
    const hasStatus = STATUS_KINDS.some((one) => one.group === group && one.kind === kind);
    if (!hasStatus || kind === KIND_WITHOUT_CONDITIONS) return undefined;
    return {
      text: keyText(key),
      signature: signatureOf(0, undefined, refused),
      isPending: false,
      build: () => buildRefusedChange(key, refused),
    };
  }

  #wantedOf(view: DistributionView, object: KubeObject): WantedStatus {
    const key = keyOf(object);
    const text = keyText(key);
    const distribution =
      object.kind === KIND_WITHOUT_CONDITIONS ? undefined : distributionOf(view, key);
    const findings = this.#findings.get(text) ?? NONE;
    const refused = this.#refused.get(formatKey(key)) ?? NONE;
    const { generation = 0 } = object.metadata;
    return {
      text,
      signature: signatureOf(generation, distribution, [...refused, ...findings]),
      isPending: distribution?.state === "Pending",
      build: () => buildStatusChange({ object, findings, refused, distribution }),
    };
  }
}

const NONE: readonly Finding[] = [];

function signatureOf(
  generation: number,
  distribution: ObjectDistribution | undefined,
  findings: readonly Finding[],
): string {
  const { state = "", acked = 0, proxies = 0, rejections = [] } = distribution ?? {};
  const words = [
    ...rejections.map(({ proxy, message }) => `${proxy} ${message}`),
    ...findings.map(({ issue }) => `${issue.severity ?? ""} ${issue.path} ${issue.message}`),
  ];
  return [generation, state, acked, proxies, ...words].join("\n");
}

function groupBy(
  findings: readonly Finding[],
  nameOf: (finding: Finding) => string | undefined,
): ReadonlyMap<string, readonly Finding[]> {
  const groups = new Map<string, Finding[]>();
  for (const finding of findings) {
    const name = nameOf(finding);
    if (name === undefined) continue;
    const group = groups.get(name);
    if (group === undefined) groups.set(name, [finding]);
    else group.push(finding);
  }
  return groups;
}

/** What `keyText` made a text of. */
function parseKeyText(text: string): ObjectKey {
  const [group = "", kind = "", namespace = "", name = ""] = text.split("/");
  return { group, kind, namespace, name };
}
