import type { Schemas } from "@/lib/api";
import { typed, type Payload } from "../events/send";
import { schemaOf } from "./infer";
import { pretty } from "./pretty";
import type { Mode } from "./modes";

export type EventType = Schemas["EventTypeAnswer"];
type Event = Schemas["EventSummary"];

/** A type as the form has it: schema and example are texts while somebody types. */
export interface Draft {
  name: string;
  description: string;
  mode: Mode;
  schema: string;
  example: string;
}

/** What there is; of a new type what its latest events teach. */
export function draftOf(type: EventType | undefined, name: string | null, events: Event[]): Draft {
  if (type) {
    return { name: type.name, description: type.description ?? "", mode: type.mode, schema: written(type.schema), example: written(type.example) };
  }
  const learnt = events.length > 0;
  return {
    name: name ?? "",
    description: "",
    mode: learnt ? "warn" : "off",
    schema: learnt ? learn(events) : "",
    example: learnt ? written(events[0]!.payload) : "",
  };
}

export function learn(events: Event[]): string {
  return written(schemaOf(events.map((event) => event.payload)));
}

export function written(value: unknown): string {
  return value === null || value === undefined ? "" : pretty(value);
}

/** An object; nothing where nothing is written; `wrong` for what is no object. */
export function objectIn(text: string): Payload | null | "wrong" {
  return text.trim() ? (typed(text) ?? "wrong") : null;
}
