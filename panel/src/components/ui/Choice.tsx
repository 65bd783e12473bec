import { Input, SegmentedControl } from "@mantine/core";
import { useId } from "react";

interface Props<T extends string> {
  label: string;
  value: T;
  change: (value: T) => void;
  data: { value: T; label: string }[];
  error?: string;
}

/** One of a few, side by side, under a label as fields have it. */
export function Choice<T extends string>({ label, value, change, data, error }: Props<T>) {
  const id = useId();
  return (
    <Input.Wrapper label={label} labelElement="div" labelProps={{ id }} error={error}>
      <div>
        <SegmentedControl aria-labelledby={id} size="xs" value={value} onChange={(chosen) => change(chosen as T)} data={data} />
      </div>
    </Input.Wrapper>
  );
}
