import { Spotlight, type SpotlightActionData } from "@mantine/spotlight";
import { useMantineColorScheme } from "@mantine/core";
import { useState } from "react";
import { useNavigate } from "react-router";
import { IconActivity, IconMoon, IconPlus, IconSearch, IconSend } from "@/components/ui/icons";
import { useEnv } from "@/lib/env";
import { useOwnOnly, useSession } from "@/lib/session";
import { t } from "@/lib/t";
import { allowed, GROUPS, MINE } from "./places";

const ID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** Everything by name: Ctrl K. */
export function Palette() {
  const [query, setQuery] = useState("");
  const actions = [...useIds(query), ...usePlaces(), ...useActions()];
  return (
    <Spotlight
      actions={actions}
      query={query}
      onQueryChange={setQuery}
      highlightQuery
      scrollable
      maxHeight={420}
      nothingFound={t("Nothing has that name.")}
      searchProps={{
        leftSection: <IconSearch size={18} aria-hidden />,
        placeholder: t("Go to, do, or paste the id of an event"),
        "aria-label": t("Search"),
      }}
      attributes={{ content: { "aria-label": t("Search") } }}
    />
  );
}

function usePlaces(): SpotlightActionData[] {
  const go = useNavigate();
  const permissions = useSession((session) => session.me?.permissions ?? []);
  return allowed([...GROUPS, MINE], permissions)
    .flatMap((group) => group.places)
    .map(({ to, name, icon: Picture }) => ({
      id: to,
      label: name,
      leftSection: <Picture size={18} aria-hidden />,
      onClick: () => void go(to),
    }));
}

function useActions(): SpotlightActionData[] {
  const go = useNavigate();
  const permissions = useSession((session) => session.me?.permissions ?? []);
  const ownOnly = useOwnOnly();
  const { env, choose } = useEnv();
  const { toggleColorScheme } = useMantineColorScheme();
  const switchEnv = () => choose(env === "live" ? "test" : "live");
  const all: [SpotlightActionData, string?][] = [
    [{ id: "send", label: t("Send an event"), leftSection: <IconSend size={18} />, onClick: () => void go("/events/send") }, "events:write"],
    [{ id: "rule", label: t("Make a rule"), leftSection: <IconPlus size={18} />, onClick: () => void go("/rules/new") }, "rules:manage"],
    [{ id: "connect", label: t("Connect a channel"), leftSection: <IconPlus size={18} />, onClick: () => void go("/connections/new") }, "connections:manage"],
    [{ id: "env", label: env === "live" ? t("Switch to Test") : t("Switch to Live"), leftSection: <IconActivity size={18} />, onClick: switchEnv }],
    [{ id: "scheme", label: t("Switch light and dark"), leftSection: <IconMoon size={18} />, onClick: toggleColorScheme }],
  ];
  return all.filter(([{ id }, needs]) => (needs ? permissions.includes(needs) : id !== "env" || !ownOnly)).map(([action]) => action);
}

function useIds(query: string): SpotlightActionData[] {
  const go = useNavigate();
  const id = query.trim();
  if (!ID.test(id)) return [];
  return [
    { id: "event", label: t("Event {id}", { id }), onClick: () => void go(`/events/${id}`) },
    { id: "notification", label: t("Notification {id}", { id }), onClick: () => void go(`/notifications/${id}`) },
  ];
}
