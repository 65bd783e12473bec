import { Box } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Id } from "@/components/ui/Code";
import { Facts } from "@/components/ui/Facts";
import { IconCheck, IconCircle } from "@/components/ui/icons";
import { Section } from "@/components/ui/Page";
import { When } from "@/components/ui/When";
import { t } from "@/lib/t";
import { OF_PROJECT, type Store } from "./store";

const LOOK_AGAIN_MS = 5_000;
const MODES = { webhook: t("the provider calls"), polling: t("we ask the provider") };

/** For providers that call us: where, with which token, and which of the steps are done. */
export function Setup({ id, store = OF_PROJECT }: { id: string; store?: Store }) {
  const { data } = useQuery({
    queryKey: ["connections", "setup", id],
    retry: false,
    queryFn: () => store.setup(id),
    refetchInterval: ({ state }) => (state.data?.steps.some((step) => step.done === false) ? LOOK_AGAIN_MS : false),
  });
  if (!data || (data.mode === "none" && data.steps.length === 0)) return null;
  return (
    <Section title={t("Set-up")}>
      {data.steps.map((step) => (
        <div key={step.key} className="tick" data-done={step.done ?? undefined}>
          {step.done ? <IconCheck size={18} aria-label={t("done")} /> : <IconCircle size={18} aria-hidden />}
          <span>{step.text}</span>
        </div>
      ))}
      {data.mode !== "none" && (
        <Box mt={data.steps.length ? "md" : 0}>
          <Facts
            facts={[
              [t("Updates"), MODES[data.mode]],
              [t("Last received"), <When key="received" time={data.lastReceivedAt} never={t("nothing yet")} />],
              ...(data.address ? ([[t("Address"), <Id key="address" value={data.address} />]] as [string, React.ReactNode][]) : []),
              ...(data.verifyToken ? ([[t("Verify token"), <Id key="token" value={data.verifyToken} />]] as [string, React.ReactNode][]) : []),
            ]}
          />
        </Box>
      )}
    </Section>
  );
}
