import { useQuery } from "@tanstack/react-query";
import { answered, api } from "@/lib/api";
import { useMay } from "@/lib/session";
import { fieldsOf } from "./draft";

/** What a condition can be tried on. */
export interface Sample {
  type: string;
  payload: Record<string, unknown>;
}

const LOOK_BACK = 100;
const ALWAYS = ["event.source", "event.type"];

/** What the latest events teach: types to choose from, fields to ask for, and one to try a rule with. */
export function useKnown(type: string | undefined, instead?: Sample): { types: string[]; fields: string[]; sample: Sample | null } {
  const may = useMay("events:read");
  const { data } = useQuery({
    queryKey: ["events", "known"],
    enabled: may,
    staleTime: 30_000,
    queryFn: ({ signal }) => answered(api.GET("/api/v1/events", { params: { query: { limit: LOOK_BACK } }, signal })),
  });
  const events = data?.items ?? [];
  const fitting: Sample[] = events.filter((event) => !type || fits(event.type, type));
  if (!fitting.length && instead) fitting.push(instead);
  const fields = new Set(fitting.flatMap((event) => fieldsOf(event.payload)));
  return {
    types: [...new Set(events.map((event) => event.type))].sort(),
    fields: [...[...fields].sort(), ...ALWAYS],
    sample: fitting[0] ?? null,
  };
}

/** What Tocsin itself tells of is for rules that name it. */
function fits(type: string, pattern: string): boolean {
  return (pattern === "*" && !type.startsWith("tocsin.")) || type === pattern || (pattern.endsWith(".*") && type.startsWith(pattern.slice(0, -1)));
}
