import type { Infer } from "./schema.ts";
import { object, string } from "./schema.ts";

/** Names another object, as events and endpoints do. */
export const objectReferenceSchema = object({
  apiVersion: string(),
  kind: string(),
  namespace: string(),
  name: string(),
  uid: string(),
  resourceVersion: string(),
  fieldPath: string(),
});

/** core/v1 ObjectReference. */
export type ObjectReference = Infer<typeof objectReferenceSchema>;
