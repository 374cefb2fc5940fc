import { defineKind } from "./kind.ts";
import { kubeObject } from "./metadata.ts";
import { objectReferenceSchema } from "./object-reference.ts";
import type { Infer } from "./schema.ts";
import { dateTime, integer, object, required, string } from "./schema.ts";

const schema = kubeObject(
  {
    involvedObject: required(objectReferenceSchema),
    reason: string({ description: "One word for machines: `BackOff`." }),
    message: string({ description: "A sentence for people." }),
    type: string({ description: "Normal or Warning." }),
    action: string(),
    count: integer({ minimum: 0 }),
    firstTimestamp: dateTime(),
    lastTimestamp: dateTime(),
    eventTime: dateTime(),
    series: object({ count: integer(), lastObservedTime: dateTime() }),
    source: object({ component: string(), host: string() }),
    related: objectReferenceSchema,
    reportingComponent: string(),
    reportingInstance: string(),
  },
  "Something that happened to an object.",
);

/** core/v1 Event. */
export type Event = Infer<typeof schema>;

/** The kind `v1 Event`. */
export const eventKind = defineKind<Event>({
  group: "",
  versions: ["v1"],
  kind: "Event",
  plural: "events",
  shortNames: ["ev"],
  schema,
  printerColumns: [
    { name: "Last Seen", type: "date", cell: lastSeen },
    { name: "Type", type: "string", cell: ({ type }) => type ?? "" },
    { name: "Reason", type: "string", cell: ({ reason }) => reason ?? "" },
    {
      name: "Object",
      type: "string",
      cell: ({ involvedObject: { kind = "", name = "" } }) => `${kind.toLowerCase()}/${name}`,
    },
    { name: "Message", type: "string", cell: ({ message }) => message?.trim() ?? "" },
  ],
});

function lastSeen({ series, lastTimestamp, eventTime, metadata }: Event): string {
  return series?.lastObservedTime ?? lastTimestamp ?? eventTime ?? metadata.creationTimestamp ?? "";
}
