import { useQuery } from "@tanstack/react-query";
import { answered, api, type Schemas } from "@/lib/api";
import { useMay } from "@/lib/session";

type User = Schemas["UserAnswer"];

export const nameOf = (user: User): string => user.name ?? user.email ?? user.externalUserId ?? user.id.slice(0, 8);

/** A person as they were read a minute ago at most. */
export function readPerson(id: string) {
  return {
    queryKey: ["users", "one", id],
    staleTime: 60_000,
    queryFn: ({ signal }: { signal: AbortSignal }) =>
      answered(api.GET("/api/v1/users/{user_id}", { params: { path: { user_id: id } }, signal })),
  };
}

/** A name instead of an id, where one may know it; nothing that would be read until it is there. */
export function PersonName({ id }: { id: string }) {
  const may = useMay("users:read");
  const { data, isLoading } = useQuery({ ...readPerson(id), enabled: may });
  return <>{data ? nameOf(data) : isLoading ? "…" : id.slice(0, 8)}</>;
}
