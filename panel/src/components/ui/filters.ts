import { useSearchParams } from "react-router";

/** Filters live in the address, so that a view can be shared and Back leads to the one before. */
export function useFilters<Name extends string>(names: readonly Name[]) {
  const [search, setSearch] = useSearchParams();
  const filters = Object.fromEntries(
    names.map((name) => [name, search.get(name) ?? undefined]),
  ) as Partial<Record<Name, string>>;
  const change = (changes: Partial<Record<Name, string | null>>) => {
    setSearch(
      (before) => {
        for (const [name, value] of Object.entries(changes)) {
          if (value) before.set(name, value as string);
          else before.delete(name);
        }
        return before;
      },
      { replace: true },
    );
  };
  return [filters, change] as const;
}
