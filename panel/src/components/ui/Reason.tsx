import { Anchor, Text } from "@mantine/core";
import { Link } from "react-router";
import { useMay } from "@/lib/session";
import { t } from "@/lib/t";

/** As deliveries say that the plan had no room for them (docs/plans.md). */
const OVER_QUOTA = "quota: ";

/** Why a delivery is not on its way, in the server's words, with the way to the plan where that is why. */
export function Reason({ words }: { words: string }) {
  const may = useMay("project:read");
  const ofPlan = words.startsWith(OVER_QUOTA);
  return (
    <Text size="sm" c="dimmed" w="100%" mt={4}>
      {ofPlan ? t("The notifications of this month that the plan allows are used up. It can be sent later, when there is room again.") : words}{" "}
      {ofPlan && may && (
        <Anchor component={Link} to="/usage" size="sm" underline="always">
          {t("Plan and usage")}
        </Anchor>
      )}
    </Text>
  );
}
