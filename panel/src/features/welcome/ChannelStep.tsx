import { Button, Group, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Section } from "@/components/ui/Page";
import { IconCheck } from "@/components/ui/icons";
import { answered, api } from "@/lib/api";
import { t } from "@/lib/t";
import { ConnectionForm } from "../connections/ConnectionForm";
import { useProviders } from "../connections/providers";

const FIRST = ["webhook", "smtp", "telegram", "slack"];

/** One channel besides the sockets, which need nothing. It may be left for later. */
export function ChannelStep({ next }: { next: () => void }) {
  const [chosen, setChosen] = useState<string | null>(null);
  const { data: providers } = useProviders();
  const { data: connected } = useQuery({
    queryKey: ["connections", "wizard"],
    queryFn: async ({ signal }) => (await answered(api.GET("/api/v1/connections", { signal }))).items,
  });
  const provider = providers?.find((each) => each.provider === chosen);
  const first = FIRST.flatMap((name) => providers?.filter((each) => each.provider === name) ?? []);
  return (
    <Section>
      <Text size="sm" mb="md">
        {t("People with this panel or your app open hear of things at once, without any set-up. To reach them elsewhere, connect an account of yours.")}
      </Text>
      {connected?.map((one) => (
        <div key={one.id} className="tick" data-done="true">
          <IconCheck size={18} aria-hidden /> {one.name}
        </div>
      ))}
      <div className="choices choices-wide" role="group" aria-label={t("Channel")}>
        {first.map((each) => (
          <button key={each.provider} type="button" className="choice" aria-pressed={chosen === each.provider} onClick={() => setChosen(each.provider)}>
            <strong>{each.title}</strong>
            <span>{each.reaches === "person" ? t("reaches each person") : t("reaches the project, once")}</span>
          </button>
        ))}
      </div>
      {provider && (
        <div style={{ marginTop: 20 }}>
          <ConnectionForm key={provider.provider} provider={provider} done={next} />
        </div>
      )}
      <Group justify="flex-end" mt="md">
        <Button variant={connected?.length ? "filled" : "default"} onClick={next}>
          {connected?.length ? t("Next") : t("Sockets are enough for now")}
        </Button>
      </Group>
    </Section>
  );
}
