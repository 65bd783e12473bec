import { MultiSelect, Select, Text } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { keepPreviousData, useQueries, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { answered, api, type Schemas } from "@/lib/api";
import { t } from "@/lib/t";
import { nameOf, readPerson } from "./PersonName";

type User = Schemas["UserAnswer"];

const SETTLE_MS = 200;
const MOST_NAMED = 50;

interface Field {
  label: string;
  description?: string;
  error?: string;
}

/** Several people, found by name or e-mail. */
export function PeopleField({ value, change, ...field }: Field & { value: string[]; change: (ids: string[]) => void }) {
  const [search, setSearch] = useState("");
  const { users, nothing } = usePeople(search, value);
  return (
    <MultiSelect
      {...field}
      {...SEARCHED}
      data={choices(users, value)}
      renderOption={({ option }) => <Person user={users.get(option.value)} />}
      nothingFoundMessage={nothing}
      hidePickedOptions
      placeholder={value.length ? "" : t("Find by name or e-mail")}
      searchValue={search}
      onSearchChange={setSearch}
      value={value}
      onChange={change}
    />
  );
}

/** One person, found by name or e-mail. */
export function PersonField({ value, change, ...field }: Field & { value: string | null; change: (id: string | null) => void }) {
  const [search, setSearch] = useState("");
  const { users, nothing } = usePeople(search, value ? [value] : []);
  return (
    <Select
      {...field}
      {...SEARCHED}
      data={choices(users, value ? [value] : [])}
      renderOption={({ option }) => <Person user={users.get(option.value)} />}
      nothingFoundMessage={nothing}
      placeholder={t("Find by name or e-mail")}
      searchValue={search}
      onSearchChange={setSearch}
      value={value}
      onChange={change}
    />
  );
}

/** The server finds them, by more than what is shown. */
const SEARCHED = {
  searchable: true,
  clearable: true,
  clearButtonProps: { "aria-label": t("Clear") },
  filter: <T,>({ options }: { options: T }) => options,
} as const;

/** Whom the search finds, and who is chosen, by id. */
function usePeople(search: string, chosen: string[]): { users: Map<string, User>; nothing: string } {
  const [settled] = useDebouncedValue(search, SETTLE_MS);
  const named = useQueries({ queries: chosen.slice(0, MOST_NAMED).map(readPerson) });
  // A chosen name stands in the field: it is no search.
  const wanted = named.some(({ data }) => data && nameOf(data) === settled) ? "" : settled;
  const { data, isFetching } = useQuery({
    queryKey: ["users", "found", wanted],
    placeholderData: keepPreviousData,
    queryFn: ({ signal }) => answered(api.GET("/api/v1/users", { params: { query: { search: wanted || undefined, limit: 20 } }, signal })),
  });
  const all = [...named.flatMap((each) => (each.data ? [each.data] : [])), ...(data?.items ?? [])];
  return { users: new Map(all.map((user) => [user.id, user])), nothing: isFetching ? t("Looking …") : t("Nobody fits.") };
}

function choices(users: Map<string, User>, chosen: string[]) {
  const unnamed = chosen.filter((id) => !users.has(id)).map((id) => ({ value: id, label: id.slice(0, 8) }));
  return [...[...users.values()].map((user) => ({ value: user.id, label: nameOf(user) })), ...unnamed];
}

function Person({ user }: { user?: User }) {
  if (!user) return null;
  return (
    <div>
      <Text size="sm">{nameOf(user)}</Text>
      {user.email && user.name && (
        <Text size="xs" c="dimmed">
          {user.email}
        </Text>
      )}
    </div>
  );
}
