import { TextInput } from "@mantine/core";
import { t } from "@/lib/t";
import type { Draft } from "./draft";

type Action = NonNullable<Draft["action"]>;

interface Props {
  action: Action | null | undefined;
  /** What is wrong with a part of it, `.url` or `.label`, or with all of it. */
  error: (name: string) => string | undefined;
  change: (action: Action | null) => void;
}

/** Where a notification leads. Without an address it leads nowhere. */
export function LinkFields({ action, error, change }: Props) {
  const { url = "", label = null } = action ?? {};
  const put = (next: Action) => change(next.url || next.label ? next : null);
  return (
    <div className="pair">
      <TextInput
        label={t("Leads to")}
        placeholder="https://shop.example.com/orders/{{ payload.orderId }}"
        value={url}
        error={error(".url") ?? error("")}
        onChange={({ currentTarget }) => put({ url: currentTarget.value, label })}
      />
      <TextInput
        label={t("On the button")}
        placeholder={t("Open the order")}
        value={label ?? ""}
        error={error(".label")}
        onChange={({ currentTarget }) => put({ url, label: currentTarget.value || null })}
      />
    </div>
  );
}
