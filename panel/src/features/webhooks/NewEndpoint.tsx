import { Button, Group, Modal, MultiSelect, Stack, TextInput } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useMutation } from "@tanstack/react-query";
import { Failed } from "@/components/ui/States";
import { answered, api, type Schemas } from "@/lib/api";
import { asProblem } from "@/lib/problem";
import { queries } from "@/lib/queries";
import { t } from "@/lib/t";

type Create = Schemas["WebhookEndpointCreate"];

/** As `webhooks` of openapi.json lists them. */
const KINDS = [
  "notification.delivered",
  "notification.failed",
  "notification.acknowledged",
  "user.registered",
  "quota.warning",
  "quota.exceeded",
  "connection.error",
  "connection.changed",
  "project.changed",
];

interface Props {
  opened: boolean;
  close: () => void;
  made: (id: string, secret: string | null) => void;
}

export function NewEndpoint({ opened, close, made }: Props) {
  const form = useForm({ initialValues: { url: "", description: "", eventTypes: ["*"] } });
  const making = useMutation({
    mutationFn: ({ url, description, eventTypes }: typeof form.values) =>
      answered(api.POST("/api/v1/webhook-endpoints", { body: { url, description: description || null, eventTypes } as Create })),
    onSuccess: async ({ id, secret }) => {
      await queries.invalidateQueries({ queryKey: ["webhooks"] });
      made(id, secret);
    },
    onError: (error) => form.setErrors(asProblem(error).byField),
  });
  return (
    <Modal opened={opened} onClose={close} title={t("Add an endpoint")}>
      <form onSubmit={form.onSubmit((values) => making.mutate(values))}>
        <Stack>
          {making.error && <Failed error={making.error} />}
          <TextInput label={t("Address")} type="url" placeholder="https://backend.example.com/hooks/tocsin" required data-autofocus {...form.getInputProps("url")} />
          <TextInput label={t("Description")} {...form.getInputProps("description")} />
          <MultiSelect label={t("Hears")} data={[{ value: "*", label: t("Everything") }, ...KINDS.map((kind) => ({ value: kind, label: kind }))]} {...form.getInputProps("eventTypes")} />
          <Group justify="flex-end">
            <Button type="submit" loading={making.isPending}>
              {t("Add")}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
