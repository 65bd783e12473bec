import { TagsInput } from "@mantine/core";
import { t } from "@/lib/t";
import { Part } from "./Part";
import { update } from "./project";

/** Topics that people ask for, unlike all others. */
export function OptIn({ topics }: { topics: string[] }) {
  return (
    <Part title={t("Topics to subscribe to")} lead={t("These reach only people who subscribed to them. Every other topic reaches people until they mute it.")} initial={{ optInTopics: topics }} save={update}>
      {(form) => <TagsInput label={t("Topics")} {...form.getInputProps("optInTopics")} />}
    </Part>
  );
}
