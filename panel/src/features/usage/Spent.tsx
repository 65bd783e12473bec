import { Alert, Text } from "@mantine/core";
import type { ReactNode } from "react";
import { IconAlert } from "@/components/ui/icons";
import { quotaName } from "@/lib/quota";
import { t } from "@/lib/t";
import { type Quota, standing } from "./quotas";

/** Of which quotas nothing is left, if there are any. */
export function Spent({ quotas, children }: { quotas: Quota[]; children: ReactNode }) {
  const spent = quotas.filter((quota) => standing(quota) === "spent").map(({ quota }) => quotaName(quota));
  if (!spent.length) return null;
  return (
    <Alert color="red" icon={<IconAlert aria-hidden />} radius="lg" mb="md" title={t("Used up: {names}", { names: spent.join(", ") })}>
      <Text size="sm">{children}</Text>
    </Alert>
  );
}
