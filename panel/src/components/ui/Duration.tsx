import { Input, NativeSelect, NumberInput } from "@mantine/core";
import { useId, useState } from "react";
import { unitName, UNITS, unitOf } from "@/lib/duration";
import { t } from "@/lib/t";

interface Props {
  label: string;
  description?: string;
  /** In seconds, whatever is shown. */
  value: number;
  change: (seconds: number) => void;
  error?: string;
}

/** How long, in seconds, minutes or hours. */
export function Duration({ label, description, value, change, error }: Props) {
  const id = useId();
  const [unit, setUnit] = useState(() => unitOf(value));
  const choose = (name: string) => {
    const chosen = UNITS.find((each) => each.name === name)!;
    setUnit(chosen);
    change(Math.round((value / unit.seconds) * chosen.seconds));
  };
  return (
    <Input.Wrapper label={label} description={description} error={error} labelProps={{ htmlFor: id }}>
      <div className="duration">
        <NumberInput
          id={id}
          min={1}
          allowDecimal={false}
          hideControls
          error={Boolean(error)}
          value={value / unit.seconds}
          onChange={(amount) => typeof amount === "number" && change(amount * unit.seconds)}
        />
        <NativeSelect
          aria-label={t("Unit of: {label}", { label })}
          data={UNITS.map((each) => ({ value: each.name, label: unitName(each) }))}
          value={unit.name}
          onChange={({ currentTarget }) => choose(currentTarget.value)}
        />
      </div>
    </Input.Wrapper>
  );
}
