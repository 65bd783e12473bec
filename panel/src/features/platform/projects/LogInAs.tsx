import { Button, Group, Modal, SegmentedControl, Stack, Switch, Text, Textarea } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useDisclosure } from "@mantine/hooks";
import { useMutation } from "@tanstack/react-query";
import { IconEnter } from "@/components/ui/icons";
import { Failed } from "@/components/ui/States";
import { answered, api, type Schemas } from "@/lib/api";
import { asProblem } from "@/lib/problem";
import { useMay } from "@/lib/session";
import { t } from "@/lib/t";

/** Begins a visit and opens the project's panel in it. */
export function LogInAs({ project }: { project: Schemas["PlatformProject"] }) {
  const may = useMay("platform:enter");
  const leads = useMay("platform:projects");
  const [opened, { open, close }] = useDisclosure();
  const form = useForm({ initialValues: { reason: "", minutes: "30", write: leads } });
  const entering = useMutation({
    mutationFn: ({ reason, minutes, write }: typeof form.values) =>
      answered(api.POST("/api/v1/platform/projects/{project_id}/login-as", { params: { path: { project_id: project.id } }, body: { reason, minutes: Number(minutes), write } })),
    onSuccess: ({ id }) => location.assign(`/platform/visit/${id}/`),
    onError: (error) => form.setErrors(asProblem(error).byField),
  });
  if (!may) return null;
  return (
    <>
      <Button onClick={open} leftSection={<IconEnter size={16} aria-hidden />}>
        {t("Log in as")}
      </Button>
      <Modal opened={opened} onClose={close} title={t("Log in as {name}", { name: project.name })}>
        <form onSubmit={form.onSubmit((values) => entering.mutate(values))}>
          <Stack>
            {entering.error && asProblem(entering.error).errors.length === 0 && <Failed error={entering.error} />}
            <Textarea label={t("Reason")} description={t("The project reads it in its audit log, with your name.")} placeholder={t("Ticket 4711: deliveries fail")} required autosize minRows={2} maxLength={500} data-autofocus {...form.getInputProps("reason")} />
            <div>
              <Text size="sm" fw={500} mb={4} id="minutes">
                {t("Minutes")}
              </Text>
              <SegmentedControl aria-labelledby="minutes" size="xs" data={["5", "15", "30", "60"]} {...form.getInputProps("minutes")} />
            </div>
            <Switch label={t("Change things, too")} description={leads ? t("As an admin of the project; without it you only read.") : t("All but keys and roles; without it you only read.")} {...form.getInputProps("write", { type: "checkbox" })} />
            <Group justify="flex-end">
              <Button type="submit" loading={entering.isPending}>
                {t("Enter")}
              </Button>
            </Group>
          </Stack>
        </form>
      </Modal>
    </>
  );
}
