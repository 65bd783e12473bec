import { ActionIcon, Button, Group, Menu } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { Badge } from "@/components/ui/Badge";
import { IconDots, IconPlus, IconUsers } from "@/components/ui/icons";
import { Listing } from "@/components/ui/Listing";
import { Page, Section } from "@/components/ui/Page";
import { Empty } from "@/components/ui/States";
import { tellProblem } from "@/components/ui/told";
import { When } from "@/components/ui/When";
import { answered, api, type Schemas } from "@/lib/api";
import { queries, usePages } from "@/lib/queries";
import { t } from "@/lib/t";
import { OneTimeLink } from "../OneTimeLink";
import { NewAdmin } from "./NewAdmin";
import { ROLES, type Role } from "./roles";

type Admin = Schemas["AdminAnswer"];

interface Link {
  whose: string;
  url: string;
}

export function Component() {
  const [opened, { open, close }] = useDisclosure();
  const [link, setLink] = useState<Link | null>(null);
  const list = usePages(["admins"], (cursor, signal) => answered(api.GET("/api/v1/platform/admins", { params: { query: { cursor } }, signal })));
  const add = (
    <Button onClick={open} leftSection={<IconPlus size={16} aria-hidden />}>
      {t("Add an admin")}
    </Button>
  );
  return (
    <Page title={t("Admins")} lead={t("Who runs this installation. One of them at least may do everything.")} actions={add}>
      {link && <OneTimeLink key={link.url} whose={link.whose} url={link.url} />}
      <Section>
        <Listing
          label={t("Admins")}
          query={list}
          empty={
            <Empty icon={IconUsers} title={t("Nobody")} action={add}>
              {t("The first admin comes by the link that tocsin up shows.")}
            </Empty>
          }
          columns={[
            { name: t("Name"), cell: (admin) => <strong>{admin.name ?? admin.email}</strong> },
            { name: t("E-mail"), cell: (admin) => admin.email },
            { name: t("Role"), width: 140, cell: (admin) => <span className="chip">{ROLES[admin.role as Role]?.name ?? admin.role}</span> },
            { name: t("Status"), width: 120, cell: (admin) => <Badge state={admin.status === "invited" ? "pending" : admin.status}>{admin.status === "invited" ? t("Invited") : undefined}</Badge> },
            { name: t("Last sign-in"), width: 130, cell: (admin) => <span className="named"><When time={admin.lastLoginAt} never={t("never")} /></span> },
            { name: t("Do"), silent: true, width: 60, cell: (admin) => <AdminMenu admin={admin} show={setLink} /> },
          ]}
        />
      </Section>
      <NewAdmin opened={opened} close={close} made={setLink} />
    </Page>
  );
}

function AdminMenu({ admin, show }: { admin: Admin; show: (link: Link) => void }) {
  const path = { params: { path: { admin_id: admin.id } } };
  const again = () => queries.invalidateQueries({ queryKey: ["admins"] });
  const changing = useMutation({
    mutationFn: (body: Schemas["AdminUpdate"]) => answered(api.PUT("/api/v1/platform/admins/{admin_id}", { ...path, body })),
    onSettled: again,
    onError: tellProblem,
  });
  const linking = useMutation({
    mutationFn: () => answered(api.POST("/api/v1/platform/admins/{admin_id}/link", path)),
    onSuccess: ({ setupUrl }) => show({ whose: admin.email, url: setupUrl }),
    onError: tellProblem,
  });
  const others = (Object.keys(ROLES) as Role[]).filter((role) => role !== admin.role);
  return (
    <Group justify="flex-end">
      <Menu position="bottom-end" width={260}>
        <Menu.Target>
          <ActionIcon variant="subtle" color="gray" aria-label={t("What to do with {name}", { name: admin.name ?? admin.email })} loading={changing.isPending || linking.isPending}>
            <IconDots size={18} />
          </ActionIcon>
        </Menu.Target>
        <Menu.Dropdown>
          {admin.status !== "disabled" && <Menu.Item onClick={() => linking.mutate()}>{t("A new link for the password")}</Menu.Item>}
          {others.map((role) => (
            <Menu.Item key={role} onClick={() => changing.mutate({ role })}>
              {t("Make {role}", { role: ROLES[role].name })}
            </Menu.Item>
          ))}
          {admin.status === "disabled" ? (
            <Menu.Item onClick={() => changing.mutate({ status: "active" })}>{t("Let in again")}</Menu.Item>
          ) : (
            <Menu.Item color="red" onClick={() => changing.mutate({ status: "disabled" })}>
              {t("Disable; signed out at once")}
            </Menu.Item>
          )}
        </Menu.Dropdown>
      </Menu>
    </Group>
  );
}
