import { useDebouncedValue } from "@mantine/hooks";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { answered, api, type Schemas } from "@/lib/api";
import { asProblem } from "@/lib/problem";
import { useMay } from "@/lib/session";
import { usePastEvents } from "../events/EventPicker";
import { hasDefault, mistakesIn, type Kind, type Template } from "./templates";

const SETTLE_MS = 350;
/** A name is not printed; a template may be tried before it has one. */
const UNNAMED = "draft";

interface Words {
  kind: Kind;
  name: string;
  subject: string;
  body: string;
}

export interface Previewing {
  printed: Schemas["Preview"] | undefined;
  /** What is wrong with the words, by field. */
  errors: Record<string, string>;
  /** What is wrong otherwise. */
  error: unknown;
  events: Schemas["EventSummary"][];
  eventId: string | null;
  choose: (id: string | null) => void;
}

/** What words print, a moment after they were typed, with a real event where there is one. */
export function usePreview(words: Words, saved: Template | undefined): Previewing {
  const may = useMay("project:manage");
  const { events, waiting } = usePastEvents();
  const [chosen, choose] = useState<string | null>(null);
  const eventId = words.kind === "notification" ? (chosen ?? events[0]?.id ?? null) : null;
  const [settled] = useDebouncedValue(words, SETTLE_MS);
  const draft = may ? settled : null;
  const bare = draft !== null && draft.kind !== "layout" && draft.subject === "";
  const { data, error } = useQuery({
    queryKey: ["templates", "preview", draft ?? saved?.id, eventId],
    enabled: !waiting && (draft ? !bare : saved !== undefined),
    placeholderData: keepPreviousData,
    queryFn: ({ signal }) =>
      draft
        ? answered(api.POST("/api/v1/templates/preview", { body: { ...draft, name: hasDefault(draft.kind) ? draft.name : UNNAMED, eventId }, signal }))
        : answered(api.POST("/api/v1/templates/{template_id}/preview", { params: { path: { template_id: saved!.id } }, body: { eventId }, signal })),
  });
  const { subject, body, ...others } = error ? mistakesIn(words.kind, asProblem(error)) : {};
  const named = Object.fromEntries(Object.entries({ subject, body }).filter(([, text]) => text)) as Record<string, string>;
  const atField = Object.keys(named).length > 0 && Object.keys(others).length === 0;
  return { printed: bare ? undefined : data, errors: named, error: atField ? null : error, events, eventId, choose };
}
