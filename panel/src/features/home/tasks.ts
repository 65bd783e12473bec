import { useQuery } from "@tanstack/react-query";
import { answered, api } from "@/lib/api";
import { useSession } from "@/lib/session";
import { t } from "@/lib/t";

interface Task {
  name: string;
  to: string;
  /** Undefined until it is known. */
  done: boolean | undefined;
}

const ONE = { params: { query: { limit: 1 } } };

/** What a project has yet to do, read from what it has; only what this person may do. */
export function useTasks(): Task[] {
  const permissions = useSession((session) => session.me?.permissions ?? []);
  const has = (name: string, needs: string, load: () => Promise<{ items: unknown[] }>) => ({
    queryKey: [name, "any"],
    enabled: permissions.includes(needs),
    queryFn: async () => (await load()).items.length > 0,
  });
  const rules = useQuery(has("rules", "rules:manage", () => answered(api.GET("/api/v1/rules", ONE))));
  const connections = useQuery(
    has("connections", "connections:manage", () =>
      answered(api.GET("/api/v1/connections", { params: { query: { limit: 1, status: "active" } } })),
    ),
  );
  const events = useQuery(has("events", "events:write", () => answered(api.GET("/api/v1/events", ONE))));
  const people = useQuery({
    queryKey: ["users", "several"],
    enabled: permissions.includes("users:manage"),
    queryFn: async () =>
      (await answered(api.GET("/api/v1/users", { params: { query: { limit: 2 } } }))).items.length > 1,
  });
  const all: (Task & { needs: string })[] = [
    { name: t("Make a rule: who hears of what"), to: "/rules/new", done: rules.data, needs: "rules:manage" },
    { name: t("Connect a channel: e-mail, Telegram, a webhook"), to: "/connections/new", done: connections.data, needs: "connections:manage" },
    { name: t("Send a first event"), to: "/events/send", done: events.data, needs: "events:write" },
    { name: t("Invite your team"), to: "/users", done: people.data, needs: "users:manage" },
  ];
  return all.filter((task) => permissions.includes(task.needs));
}
