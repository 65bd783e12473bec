import { Button, Group, Modal, Radio, Stack, TextInput } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useMutation } from "@tanstack/react-query";
import { Failed } from "@/components/ui/States";
import { answered, api } from "@/lib/api";
import { asProblem } from "@/lib/problem";
import { queries } from "@/lib/queries";
import { t } from "@/lib/t";
import { ROLES, type Role } from "./roles";

interface Props {
  opened: boolean;
  close: () => void;
  made: (link: { whose: string; url: string }) => void;
}

export function NewAdmin({ opened, close, made }: Props) {
  const form = useForm({ initialValues: { email: "", name: "", role: "support" as Role } });
  const adding = useMutation({
    mutationFn: ({ email, name, role }: typeof form.values) => answered(api.POST("/api/v1/platform/admins", { body: { email, role, ...(name && { name }) } })),
    onSuccess: async ({ email, setupUrl }) => {
      made({ whose: email, url: setupUrl });
      form.reset();
      close();
      await queries.invalidateQueries({ queryKey: ["admins"] });
    },
    onError: (error) => form.setErrors(asProblem(error).byField),
  });
  return (
    <Modal opened={opened} onClose={close} title={t("Add an admin")}>
      <form onSubmit={form.onSubmit((values) => adding.mutate(values))}>
        <Stack>
          {adding.error && asProblem(adding.error).errors.length === 0 && <Failed error={adding.error} />}
          <TextInput label={t("E-mail")} type="email" required data-autofocus {...form.getInputProps("email")} />
          <TextInput label={t("Name")} description={t("Projects read it when they are visited.")} {...form.getInputProps("name")} />
          <Radio.Group label={t("Role")} {...form.getInputProps("role")}>
            <Stack gap="xs" mt="xs">
              {(Object.keys(ROLES) as Role[]).map((role) => (
                <Radio key={role} value={role} label={ROLES[role].name} description={ROLES[role].words} />
              ))}
            </Stack>
          </Radio.Group>
          <Group justify="flex-end">
            <Button type="submit" loading={adding.isPending}>
              {t("Add")}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
