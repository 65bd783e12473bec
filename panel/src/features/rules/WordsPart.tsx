import { Textarea, TextInput } from "@mantine/core";
import { Section } from "@/components/ui/Page";
import { t } from "@/lib/t";
import type { Editing } from "./editing";
import { Fields } from "./Fields";

/** What the rule says, where nothing is said in the reader's own language. */
export function WordsPart({ rule: { values, set, error } }: { rule: Editing }) {
  return (
    <Section title={t("In which words")}>
      <Fields>
        <TextInput
          label={t("Title")}
          description={t("Liquid: {example} prints a field.", { example: "{{ payload.orderId }}" })}
          placeholder="Order {{ payload.orderId }}"
          required
          value={values.title}
          error={error("title")}
          onChange={({ currentTarget }) => set({ title: currentTarget.value })}
        />
        <Textarea
          label={t("Message")}
          autosize
          minRows={2}
          placeholder="{{ payload.amount }} EUR from {{ payload.customer }}"
          value={values.message}
          error={error("message")}
          onChange={({ currentTarget }) => set({ message: currentTarget.value })}
        />
      </Fields>
    </Section>
  );
}
