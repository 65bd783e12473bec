import { Button, Group, Modal, MultiSelect, Stack, Switch, TextInput } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useMutation } from "@tanstack/react-query";
import { Failed } from "@/components/ui/States";
import { tell } from "@/components/ui/told";
import { answered, api } from "@/lib/api";
import { asProblem } from "@/lib/problem";
import { queries } from "@/lib/queries";
import { t } from "@/lib/t";
import { useRoles } from "./roles";

interface Props {
  opened: boolean;
  close: () => void;
}

/** Somebody to be told of things; with an invitation, somebody who may sign in too. */
export function NewUser({ opened, close }: Props) {
  const roles = useRoles();
  const form = useForm({
    initialValues: { email: "", name: "", roles: [] as string[], invite: true },
    validate: { roles: (roles, { invite }) => (invite && !roles.length ? t("Choose at least one.") : null) },
  });
  const adding = useMutation({
    mutationFn: async ({ email, name, roles: held, invite }: typeof form.values) => {
      const body = { email, ...(name && { name }), roles: held };
      if (invite) await answered(api.POST("/api/v1/invites", { body }));
      else await answered(api.POST("/api/v1/users", { body }));
    },
    onSuccess: async (_, { invite }) => {
      tell(invite ? t("An invitation is on its way.") : t("Added."));
      await queries.invalidateQueries({ queryKey: ["users"] });
      form.reset();
      close();
    },
    onError: (error) => form.setErrors(asProblem(error).byField),
  });
  const problem = adding.error ? asProblem(adding.error) : null;
  return (
    <Modal opened={opened} onClose={close} title={t("Add somebody")}>
      <form onSubmit={form.onSubmit((values) => adding.mutate(values))}>
        <Stack>
          {problem && !problem.errors.length && <Failed error={problem} />}
          <TextInput label={t("E-mail")} type="email" required data-autofocus {...form.getInputProps("email")} />
          <TextInput label={t("Name")} {...form.getInputProps("name")} />
          <MultiSelect label={t("Roles")} description={t("What they may do, and which rules reach them.")} data={roles.map((role) => role.name)} {...form.getInputProps("roles")} />
          <Switch label={t("Invite to sign in")} description={t("By a mail with a link. Without it they are only told of things.")} {...form.getInputProps("invite", { type: "checkbox" })} />
          <Group justify="flex-end">
            <Button type="submit" loading={adding.isPending}>
              {form.values.invite ? t("Invite") : t("Add")}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
