import { useQuery } from "@tanstack/react-query";
import { Badge } from "@/components/ui/Badge";
import { Facts } from "@/components/ui/Facts";
import { Section } from "@/components/ui/Page";
import { answered, open } from "@/lib/api";
import { boot } from "@/lib/boot";
import { t } from "@/lib/t";
import { useHealth } from "./health";

const SIGNUPS = { open: t("anybody may"), invite: t("by invitation"), closed: t("nobody may") };

/** What answers here, and what strangers are told. */
export function Installation() {
  const { data: health } = useHealth();
  const { data: about } = useQuery({
    queryKey: ["about"],
    queryFn: ({ signal }) => answered(open.GET("/api/v1/platform/about", { signal })),
  });
  return (
    <Section title={t("This installation")}>
      <Facts
        facts={[
          [t("This process"), health ? <Badge key="ready" state={health.ready ? "healthy" : "failing"}>{health.words}</Badge> : "…"],
          [t("Between processes"), health?.broker === undefined ? "…" : <Badge key="broker" state={health.broker ? "healthy" : "degraded"}>{health.broker ? t("Connected") : t("Interrupted")}</Badge>],
          [t("Version"), boot.version || "–"],
          [t("New projects"), about ? SIGNUPS[about.signup] : "…"],
          [t("Support"), about?.supportEmail ?? "–"],
          [t("Announcement"), about?.announcement ?? t("none")],
        ]}
      />
    </Section>
  );
}
