import { ActionIcon, Button, Checkbox, Group, Modal, Stack, Text, TextInput } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useMutation, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { confirm } from "@/components/ui/confirm";
import { IconPlus, IconShield, IconTrash } from "@/components/ui/icons";
import { Listing } from "@/components/ui/Listing";
import { Page, Section } from "@/components/ui/Page";
import { Empty, Failed } from "@/components/ui/States";
import { tellProblem } from "@/components/ui/told";
import { answered, api, type Schemas } from "@/lib/api";
import { asProblem } from "@/lib/problem";
import { queries, usePages } from "@/lib/queries";
import { useMay } from "@/lib/session";
import { t, tn } from "@/lib/t";
import type { Role } from "./roles";

type Permissions = NonNullable<Schemas["RoleCreate"]["permissions"]>;

const again = () => queries.invalidateQueries({ queryKey: ["roles"] });

export function Component() {
  const may = useMay("roles:manage");
  const [edited, setEdited] = useState<Role | "new" | null>(null);
  const list = usePages(["roles", "list"], (cursor, signal) =>
    answered(api.GET("/api/v1/roles", { params: { query: { cursor, sort: "createdAt" } }, signal })),
  );
  return (
    <Page
      title={t("Roles")}
      lead={t("Rules reach people by their roles, and roles say what people may do here.")}
      actions={
        may && (
          <Button onClick={() => setEdited("new")} leftSection={<IconPlus size={16} aria-hidden />}>
            {t("New role")}
          </Button>
        )
      }
    >
      <Section>
        <Listing
          label={t("Roles")}
          query={list}
          empty={
            <Empty icon={IconShield} title={t("No roles")}>
              {t("Roles name groups of people.")}
            </Empty>
          }
          columns={[
            { name: t("Name"), cell: (role) => <strong>{role.name}</strong> },
            { name: t("What it is for"), cell: (role) => role.description ?? <span className="dimmed">–</span> },
            { name: t("May"), width: 150, cell: (role) => <span title={role.permissions.join(", ")}>{tn(role.permissions.length, "1 permission", "{n} permissions")}</span> },
            { name: t("Do"), silent: true, width: 150, cell: (role) => (role.builtIn ? <span className="chip">{t("built in")}</span> : may && <Actions role={role} edit={() => setEdited(role)} />) },
          ]}
        />
      </Section>
      <Modal opened={edited !== null} onClose={() => setEdited(null)} size="lg" title={edited === "new" ? t("New role") : t("Change the role")}>
        {edited && <RoleForm role={edited === "new" ? null : edited} done={() => setEdited(null)} />}
      </Modal>
    </Page>
  );
}

function Actions({ role, edit }: { role: Role; edit: () => void }) {
  const removing = useMutation({
    mutationFn: () => answered(api.DELETE("/api/v1/roles/{role_id}", { params: { path: { role_id: role.id } } })),
    onSettled: again,
    onError: tellProblem,
  });
  const ask = () =>
    confirm({ title: t("Delete {name}?", { name: role.name }), text: t("People lose what it let them do, and rules no longer reach them by it."), yes: t("Delete"), act: () => removing.mutate() });
  return (
    <Group gap={4} wrap="nowrap">
      <Button size="compact-sm" variant="default" onClick={edit} aria-label={t("Change {name}", { name: role.name })}>
        {t("Change")}
      </Button>
      <ActionIcon variant="subtle" color="gray" onClick={ask} loading={removing.isPending} aria-label={t("Delete {name}", { name: role.name })}>
        <IconTrash size={16} />
      </ActionIcon>
    </Group>
  );
}

function RoleForm({ role, done }: { role: Role | null; done: () => void }) {
  const form = useForm({
    initialValues: { name: role?.name ?? "", description: role?.description ?? "", permissions: role?.permissions ?? ["own:manage"] },
  });
  const { data } = useQuery({
    queryKey: ["permissions"],
    queryFn: ({ signal }) => answered(api.GET("/api/v1/permissions", { signal })),
  });
  const saving = useMutation({
    mutationFn: ({ name, description, permissions }: typeof form.values) => {
      const body = { name, description: description || null, permissions: permissions as Permissions };
      return role
        ? answered(api.PUT("/api/v1/roles/{role_id}", { params: { path: { role_id: role.id } }, body }))
        : answered(api.POST("/api/v1/roles", { body }));
    },
    onSuccess: async () => {
      await again();
      done();
    },
    onError: (error) => form.setErrors(asProblem(error).byField),
  });
  return (
    <form onSubmit={form.onSubmit((values) => saving.mutate(values))}>
      <Stack>
        {saving.error && <Failed error={saving.error} />}
        <TextInput label={t("Name")} required data-autofocus {...form.getInputProps("name")} />
        <TextInput label={t("What it is for")} {...form.getInputProps("description")} />
        <Checkbox.Group label={t("May")} {...form.getInputProps("permissions")}>
          <Stack gap={8} mt="xs" mah={320} style={{ overflow: "auto" }}>
            {(data ?? []).map(({ name, description }) => (
              <Checkbox key={name} value={name} label={name} description={description} />
            ))}
          </Stack>
        </Checkbox.Group>
        <Group justify="space-between">
          <Text size="xs" c="dimmed">
            {t("Without any beyond own:manage, people of this role do not see this panel's pages.")}
          </Text>
          <Button type="submit" loading={saving.isPending}>
            {t("Save")}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
