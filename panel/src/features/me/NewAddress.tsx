import { Button, Group, NativeSelect, Stack, Text, TextInput } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useMutation } from "@tanstack/react-query";
import { Failed } from "@/components/ui/States";
import { tell } from "@/components/ui/told";
import { answered, api } from "@/lib/api";
import { asProblem } from "@/lib/problem";
import { queries } from "@/lib/queries";
import { t } from "@/lib/t";
import { of, useMe } from "./me";

/** What a person can write down; a chat is linked, and devices register themselves. */
const KINDS = [
  { value: "email", label: t("E-mail"), example: "ann@example.com", type: "email" },
  { value: "phone", label: t("Phone, for SMS"), example: "+436601234567", type: "tel" },
  { value: "whatsapp", label: t("WhatsApp number"), example: "+436601234567", type: "tel" },
];

export function NewAddress({ close }: { close: () => void }) {
  const { id } = useMe();
  const form = useForm({ initialValues: { channel: "email", value: "" } });
  const adding = useMutation({
    mutationFn: (body: typeof form.values) => answered(api.POST("/api/v1/users/{user_id}/addresses", { ...of(id), body })),
    onSuccess: async () => {
      await queries.invalidateQueries({ queryKey: ["users"] });
      tell(t("Added."));
      close();
    },
    onError: (error) => form.setErrors(asProblem(error).byField),
  });
  const kind = KINDS.find((each) => each.value === form.values.channel)!;
  const unplaced = adding.error && asProblem(adding.error).errors.length === 0;
  return (
    <form onSubmit={form.onSubmit((values) => adding.mutate(values))} style={{ width: "100%" }}>
      <Stack gap="sm">
        <Group align="flex-start" gap="sm">
          <NativeSelect label={t("Kind")} data={KINDS} style={{ flex: "0 1 170px" }} {...form.getInputProps("channel")} />
          <TextInput label={t("Address")} type={kind.type} placeholder={kind.example} required autoFocus style={{ flex: "1 1 200px" }} {...form.getInputProps("value")} />
        </Group>
        {unplaced && <Failed error={adding.error} />}
        <Text size="xs" c="dimmed">
          {t("Some projects send only to addresses that are proven; then your project says how.")}
        </Text>
        <Group gap="xs">
          <Button type="submit" size="xs" loading={adding.isPending}>
            {t("Add")}
          </Button>
          <Button size="xs" variant="default" onClick={close}>
            {t("Cancel")}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
