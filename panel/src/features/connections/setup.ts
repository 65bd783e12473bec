import { useQuery } from "@tanstack/react-query";
import { answered, api, type Schemas } from "@/lib/api";
import { at, OF_PROJECT } from "./store";

export type Connection = Schemas["ConnectionAnswer"];
type Setup = Pick<Schemas["SetupAnswer"], "steps">;

const LOOK_AGAIN_MS = 2_000;

/** A connection that is being set up, and how far it is; both look again by themselves until the steps `awaited` are done. */
export function useProgress(id: string | undefined, awaited: string[]) {
  const connection = useQuery({
    queryKey: ["connections", "one", id],
    enabled: id !== undefined,
    queryFn: ({ signal }) => answered(api.GET("/api/v1/connections/{connection_id}", { ...at(id!), signal })),
  });
  const setup = useQuery({
    queryKey: ["connections", "setup", id],
    enabled: id !== undefined,
    queryFn: ({ signal }) => answered(api.GET("/api/v1/connections/{connection_id}/setup", { ...at(id!), signal })),
    refetchInterval: ({ state }) => (awaited.every((step) => isDone(state.data, step)) ? false : LOOK_AGAIN_MS),
  });
  return { one: connection.data, error: connection.error ?? setup.error, setup: setup.data };
}

/** The account as its provider calls it. */
export function accountOf({ account: known }: Connection): string {
  if (!known) return "–";
  const shown = known.username ?? known.name ?? known.number ?? known.id;
  return typeof shown === "string" ? shown : JSON.stringify(known);
}

/** Of a step, by its key in the provider's description. */
export const isDone = (setup: Setup | undefined, key: string): boolean => setup?.steps.find((step) => step.key === key)?.done === true;

export const works = (one: Connection | undefined): boolean => one?.status === "active" || one?.status === "rate_limited";

/** Makes the connection, or changes the one that there is. */
export async function stored(id: string | undefined, body: Schemas["ConnectionCreate"]): Promise<string> {
  if (!id) return (await answered(api.POST("/api/v1/connections", { body }))).id;
  const { settings, credentials } = body;
  await OF_PROJECT.change(id, { settings, ...(credentials && { credentials }) });
  return id;
}

export const verified = OF_PROJECT.verify;
