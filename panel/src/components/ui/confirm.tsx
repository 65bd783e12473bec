import { Text } from "@mantine/core";
import { modals } from "@mantine/modals";
import { t } from "@/lib/t";

interface Question {
  title: string;
  text: string;
  yes: string;
  act: () => void;
}

/** Only for what cannot be taken back. */
export function confirm({ title, text, yes, act }: Question): void {
  modals.openConfirmModal({
    title,
    children: <Text size="sm">{text}</Text>,
    labels: { confirm: yes, cancel: t("Cancel") },
    confirmProps: { color: "red" },
    onConfirm: act,
  });
}
