import type { Prng } from "../../src/base/prng.ts";
import { type KubeObject, keyOf } from "../../src/config/object.ts";
import type { ConfigEvent } from "../../src/source/source.ts";

const NAMESPACE = "default";
const ENDPOINTS = 4;

/** Most objects of each kind that come and go. */
const GUESTS_MAX = 20;

type Change = (turn: number) => readonly ConfigEvent[];

/**
 * A mesh that changes without end and does not grow. Names and texts are new each time, so that
 * whatever is remembered by one of them shows.
 */
export class SoakObjects {
  readonly #prng: Prng;
  readonly #services: number;
  /** Names of what came, by kind; the oldest first. */
  readonly #guests = new Map<string, KubeObject[]>();
  readonly #changes: readonly { readonly share: number; readonly make: Change }[] = [
    { share: 40, make: (turn) => [set(this.#slice(this.#pick(), turn))] },
    { share: 20, make: (turn) => [set(this.#virtualService(this.#pick(), turn))] },
    { share: 10, make: (turn) => [set(this.#destinationRule(this.#pick(), turn))] },
    { share: 10, make: (turn) => this.#guest(service(`guest-${turn}`)) },
    { share: 5, make: (turn) => this.#guest(serviceEntry(turn)) },
    { share: 10, make: (turn) => this.#guest(sidecar(turn)) },
    { share: 5, make: (turn) => this.#guest(pod(turn)) },
  ];

  constructor(prng: Prng, services: number) {
    this.#prng = prng;
    this.#services = services;
  }

  /** What there is at first. */
  first(): readonly ConfigEvent[] {
    return Array.from({ length: this.#services }, (_, index) => index).flatMap((index) => [
      set(service(name(index))),
      set(this.#slice(index, 0)),
      set(this.#virtualService(index, 0)),
      set(this.#destinationRule(index, 0)),
    ]);
  }

  /** The change number `turn`, from 1. */
  change(turn: number): readonly ConfigEvent[] {
    let left = this.#prng.next() * 100;
    for (const { share, make } of this.#changes) {
      left -= share;
      if (left < 0) return make(turn);
    }
    return [];
  }

  /** Something comes, and when there is too much the oldest goes. */
  #guest(object: KubeObject): readonly ConfigEvent[] {
    const guests = this.#guests.get(object.kind) ?? [];
    this.#guests.set(object.kind, guests);
    guests.push(object);
    const gone = guests.length > GUESTS_MAX ? guests.shift() : undefined;
    return [
      set(object),
      ...(gone === undefined ? [] : [{ type: "delete", key: keyOf(gone) } as const]),
    ];
  }

  #pick(): number {
    return Math.floor(this.#prng.next() * this.#services);
  }

  #slice(index: number, turn: number): KubeObject {
    const endpoints = Array.from({ length: ENDPOINTS }, (_, at) => ({
      addresses: [
        at === 0
          ? `10.${(turn >> 16) & 127}.${(turn >> 8) & 255}.${turn & 255}`
          : `10.2${at}.${index >> 8}.${index & 255}`,
      ],
      conditions: { ready: this.#prng.next() > 0.1 },
    }));
    return object("discovery.k8s.io/v1", "EndpointSlice", `${name(index)}-1`, {
      labels: { "kubernetes.io/service-name": name(index) },
      rest: { addressType: "IPv4", ports: [{ name: "http", port: 8080 }], endpoints },
    });
  }

  #virtualService(index: number, turn: number): KubeObject {
    const weight = Math.floor(this.#prng.next() * 100);
    const to = (subset: string, share: number): unknown => ({
      destination: { host: name(index), subset },
      weight: share,
    });
    const match = [
      { uri: { prefix: `/turn-${turn}` } },
      { headers: { turn: { exact: `${turn}` } } },
    ];
    return object("networking.istio.io/v1", "VirtualService", name(index), {
      rest: {
        spec: {
          hosts: [name(index)],
          http: [
            { match, route: [to("v1", 100)] },
            { route: [to("v1", weight), to("v2", 100 - weight)] },
          ],
        },
      },
    });
  }

  #destinationRule(index: number, turn: number): KubeObject {
    return object("networking.istio.io/v1", "DestinationRule", name(index), {
      rest: {
        spec: {
          host: name(index),
          subsets: [
            { name: "v1", labels: { version: "v1" } },
            { name: "v2", labels: { version: "v2" } },
            { name: `turn-${turn}`, labels: { turn: `${turn}` } },
          ],
        },
      },
    });
  }
}

function set(object: KubeObject): ConfigEvent {
  return { type: "set", object };
}

function name(index: number): string {
  return `service-${index}`;
}

function object(
  apiVersion: string,
  kind: string,
  objectName: string,
  { labels = {}, rest }: { readonly labels?: Record<string, string>; readonly rest: object },
): KubeObject {
  return {
    apiVersion,
    kind,
    metadata: {
      name: objectName,
      namespace: NAMESPACE,
      labels,
      creationTimestamp: "2026-01-01T00:00:00Z",
    },
    ...rest,
  };
}

function service(serviceName: string): KubeObject {
  return object("v1", "Service", serviceName, {
    rest: {
      spec: {
        selector: { app: serviceName },
        ports: [{ name: "http", port: 80, targetPort: 8080, protocol: "TCP" }],
      },
    },
  });
}

function serviceEntry(turn: number): KubeObject {
  return object("networking.istio.io/v1", "ServiceEntry", `entry-${turn}`, {
    rest: {
      spec: {
        hosts: [`turn-${turn}.example.com`],
        ports: [{ number: 443, name: "tls", protocol: "TLS" }],
        resolution: "STATIC",
        endpoints: [{ address: "192.0.2.1" }],
      },
    },
  });
}

function sidecar(turn: number): KubeObject {
  return object("networking.istio.io/v1", "Sidecar", `sidecar-${turn}`, {
    rest: {
      spec: {
        egress: [{ hosts: ["./*", `*/turn-${turn}.example.com`] }],
      },
    },
  });
}

function pod(turn: number): KubeObject {
  return object("v1", "Pod", `pod-${turn}`, {
    labels: { app: `app-${turn}`, turn: `${turn}` },
    rest: {
      spec: { serviceAccountName: `account-${turn}`, containers: [{ name: "app", image: "app" }] },
      status: { podIP: `10.200.${(turn >> 8) & 255}.${turn & 255}`, phase: "Running" },
    },
  });
}
