import { Button, Group, MultiSelect, Stack, Text, TextInput } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useMutation, useQuery } from "@tanstack/react-query";
import { useParams } from "react-router";
import { Badge } from "@/components/ui/Badge";
import { Id } from "@/components/ui/Code";
import { Facts } from "@/components/ui/Facts";
import { Page, Section } from "@/components/ui/Page";
import { RemoveButton } from "@/components/ui/RemoveButton";
import { Failed, RowSkeletons } from "@/components/ui/States";
import { tell, tellProblem } from "@/components/ui/told";
import { When } from "@/components/ui/When";
import { answered, api, type Schemas } from "@/lib/api";
import { asProblem } from "@/lib/problem";
import { queries } from "@/lib/queries";
import { useMay } from "@/lib/session";
import { t } from "@/lib/t";
import { Preferences } from "./Preferences";
import { useRoles } from "./roles";

type User = Schemas["UserAnswer"];

const path = (id: string) => ({ params: { path: { user_id: id } } });
const again = () => queries.invalidateQueries({ queryKey: ["users"] });

export function Component() {
  const { id = "" } = useParams();
  const { data, error, refetch } = useQuery({
    queryKey: ["users", "one", id],
    queryFn: ({ signal }) => answered(api.GET("/api/v1/users/{user_id}", { ...path(id), signal })),
  });
  return (
    <Page title={data?.name ?? data?.email ?? t("Person")} lead={<Id value={id} />} back={{ to: "/users", label: t("People") }} actions={data && <Actions user={data} />}>
      {error ? <Failed error={error} retry={refetch} /> : data ? <Whole key={data.updatedAt} user={data} /> : <RowSkeletons />}
    </Page>
  );
}

function Whole({ user }: { user: User }) {
  return (
    <>
      <Section>
        <Facts
          facts={[
            [t("Status"), <Badge key="status" state={user.status} />],
            [t("Own id"), user.externalUserId ?? "–"],
            [t("E-mail proven"), <When key="proven" time={user.emailVerifiedAt} never={t("not yet")} />],
            [t("Seen"), <When key="seen" time={user.lastSeenAt} never={t("never")} />],
            [t("Since"), <When key="since" time={user.createdAt} />],
          ]}
        />
      </Section>
      <Details user={user} />
      <Addresses id={user.id} />
      <Preferences id={user.id} />
    </>
  );
}

function Details({ user }: { user: User }) {
  const may = useMay("users:manage");
  const roles = useRoles();
  const form = useForm({
    initialValues: { name: user.name ?? "", email: user.email ?? "", phone: user.phone ?? "", roles: user.roles },
  });
  const saving = useMutation({
    mutationFn: ({ name, email, phone, roles: held }: typeof form.values) =>
      answered(
        api.PUT("/api/v1/users/{user_id}", {
          ...path(user.id),
          body: { name: name || null, email: email || null, phone: phone || null, roles: held },
        }),
      ),
    onSuccess: async () => {
      tell(t("Saved."));
      await again();
    },
    onError: (error) => form.setErrors(asProblem(error).byField),
  });
  return (
    <Section title={t("Details")}>
      <form onSubmit={form.onSubmit((values) => saving.mutate(values))}>
        <Stack>
          {saving.error && <Failed error={saving.error} />}
          <TextInput label={t("Name")} disabled={!may} {...form.getInputProps("name")} />
          <TextInput label={t("E-mail")} type="email" disabled={!may} {...form.getInputProps("email")} />
          <TextInput label={t("Phone")} placeholder="+491701234567" disabled={!may} {...form.getInputProps("phone")} />
          <MultiSelect label={t("Roles")} disabled={!may} data={[...new Set([...roles.map((role) => role.name), ...user.roles])]} {...form.getInputProps("roles")} />
          {may && (
            <Group>
              <Button type="submit" loading={saving.isPending} disabled={!form.isDirty()}>
                {t("Save")}
              </Button>
            </Group>
          )}
        </Stack>
      </form>
    </Section>
  );
}

function Addresses({ id }: { id: string }) {
  const { data } = useQuery({
    queryKey: ["users", "addresses", id],
    queryFn: ({ signal }) => answered(api.GET("/api/v1/users/{user_id}/addresses", { ...path(id), signal })),
  });
  const all = Array.isArray(data) ? data : [];
  return (
    <Section title={t("Addresses")}>
      {all.length === 0 && (
        <Text size="sm" c="dimmed">
          {t("No further addresses.")}
        </Text>
      )}
      {all.map((address) => (
        <Group key={address.id} gap="sm" mb={6}>
          <span className="chip">{address.channel}</span>
          <code>{address.value}</code>
          {address.optedOutAt && <Badge state="off">{t("Opted out")}</Badge>}
        </Group>
      ))}
    </Section>
  );
}

function Actions({ user }: { user: User }) {
  const may = useMay("users:manage");
  const approving = useMutation({
    mutationFn: () => answered(api.POST("/api/v1/users/{user_id}/approve", path(user.id))),
    onSettled: again,
    onError: tellProblem,
  });
  const switching = useMutation({
    mutationFn: (status: "active" | "disabled") => answered(api.PUT("/api/v1/users/{user_id}", { ...path(user.id), body: { status } })),
    onSettled: again,
    onError: tellProblem,
  });
  if (!may) return null;
  const name = user.name ?? user.email ?? t("this person");
  return (
    <>
      {user.status === "pending" && (
        <Button loading={approving.isPending} onClick={() => approving.mutate()}>
          {t("Approve")}
        </Button>
      )}
      {(user.status === "active" || user.status === "disabled") && (
        <Button variant="default" loading={switching.isPending} onClick={() => switching.mutate(user.status === "active" ? "disabled" : "active")}>
          {user.status === "active" ? t("Block") : t("Let in again")}
        </Button>
      )}
      <RemoveButton
        title={t("Delete {name}?", { name })}
        text={t("With addresses, preferences and connections. What they were told stays without them.")}
        remove={() => answered(api.DELETE("/api/v1/users/{user_id}", path(user.id)))}
        list="/users"
        name="users"
      />
    </>
  );
}
