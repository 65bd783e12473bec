import { TextInput } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { useEffect, useState } from "react";

const SETTLE_MS = 250;

interface Props {
  label: string;
  placeholder: string;
  value: string | undefined;
  change: (value: string | null) => void;
}

/** A filter that is typed: it counts once the typing rests. */
export function Search({ label, placeholder, value, change }: Props) {
  const [text, setText] = useState(value ?? "");
  const [settled] = useDebouncedValue(text, SETTLE_MS);
  useEffect(() => {
    if (settled === text && settled !== (value ?? "")) change(settled || null);
    // Only typing changes it; that it was cleared elsewhere comes in below.
    // oxlint-disable-next-line exhaustive-deps
  }, [settled]);
  useEffect(() => {
    if (!value) setText("");
  }, [value]);
  return (
    <TextInput aria-label={label} placeholder={placeholder} value={text} onChange={({ currentTarget }) => setText(currentTarget.value)} />
  );
}
