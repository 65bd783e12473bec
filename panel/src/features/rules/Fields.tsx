import { Stack, Switch } from "@mantine/core";
import type { ReactNode } from "react";
import { useMay } from "@/lib/session";

/** Fields of a rule: to be read by whoever may not change it. */
export function Fields({ children }: { children: ReactNode }) {
  const may = useMay("rules:manage");
  return (
    <fieldset disabled={!may} className="plain">
      <Stack>{children}</Stack>
    </fieldset>
  );
}

interface OptionProps {
  label: string;
  description?: string;
  on: boolean;
  error?: string;
  change: (on: boolean) => void;
  children: ReactNode;
}

/** Something that a rule may have, and what it takes once it is on. */
export function Option({ label, description, on, error, change, children }: OptionProps) {
  return (
    <>
      <Switch label={label} description={description} checked={on} error={error} onChange={({ currentTarget }) => change(currentTarget.checked)} />
      {on && <div className="inset">{children}</div>}
    </>
  );
}
