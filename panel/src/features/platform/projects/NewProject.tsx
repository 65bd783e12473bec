import { Button, Group, Modal, Select, Stack, TextInput } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useMutation } from "@tanstack/react-query";
import { useNavigate } from "react-router";
import { Failed } from "@/components/ui/States";
import { answered, api } from "@/lib/api";
import { handOver } from "@/lib/handed";
import { asProblem } from "@/lib/problem";
import { queries } from "@/lib/queries";
import { t } from "@/lib/t";
import { usePlans } from "../plans";

/** A project for somebody. Of the answer its owner's link is shown, on its page; the owner has keys made there. */
export function NewProject({ opened, close }: { opened: boolean; close: () => void }) {
  const go = useNavigate();
  const { data: plans } = usePlans();
  const form = useForm({ initialValues: { name: "", slug: "", ownerEmail: "", plan: null as string | null } });
  const making = useMutation({
    mutationFn: ({ name, slug, ownerEmail, plan }: typeof form.values) =>
      answered(api.POST("/api/v1/platform/projects", { body: { name, ownerEmail, ...(slug && { slug }), ...(plan && { plan }) } })),
    onSuccess: async ({ project, setupUrl }) => {
      handOver(project.id, setupUrl);
      await queries.invalidateQueries({ queryKey: ["projects"] });
      await go(`/projects/${project.id}`);
    },
    onError: (error) => form.setErrors(asProblem(error).byField),
  });
  return (
    <Modal opened={opened} onClose={close} title={t("New project")}>
      <form onSubmit={form.onSubmit((values) => making.mutate(values))}>
        <Stack>
          {making.error && asProblem(making.error).errors.length === 0 && <Failed error={making.error} />}
          <TextInput label={t("Name")} placeholder="Acme Logistics" required data-autofocus {...form.getInputProps("name")} />
          <TextInput label={t("Slug")} description={t("In addresses; made of the name if left empty.")} placeholder="acme" {...form.getInputProps("slug")} />
          <TextInput label={t("E-mail of the owner")} description={t("They choose a password by a link.")} type="email" required {...form.getInputProps("ownerEmail")} />
          <Select label={t("Plan")} placeholder={t("The installation's default")} clearable clearButtonProps={{ "aria-label": t("Clear") }} data={(plans ?? []).map(({ name, label }) => ({ value: name, label }))} {...form.getInputProps("plan")} />
          <Group justify="flex-end">
            <Button type="submit" loading={making.isPending}>
              {t("Make it")}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
