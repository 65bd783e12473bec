import { Button, Select } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { Link } from "react-router";
import { Badge } from "@/components/ui/Badge";
import { useFilters } from "@/components/ui/filters";
import { IconPlus, IconUpload, IconUsers } from "@/components/ui/icons";
import { type Column, Listing } from "@/components/ui/Listing";
import { Page, Section } from "@/components/ui/Page";
import { Search } from "@/components/ui/Search";
import { Empty } from "@/components/ui/States";
import { When } from "@/components/ui/When";
import { answered, api, type Schemas } from "@/lib/api";
import { useLong } from "@/lib/long";
import { useMay } from "@/lib/session";
import { t } from "@/lib/t";
import { NewUser } from "./NewUser";

type User = Schemas["UserAnswer"];

const COLUMNS: Column<User>[] = [
  { name: t("Name"), cell: (user) => user.name ?? user.email ?? user.externalUserId ?? user.id },
  { name: t("E-mail"), cell: (user) => user.email ?? <span className="dimmed">–</span> },
  { name: t("Roles"), cell: (user) => user.roles.map((role) => <span key={role} className="chip">{role}</span>) },
  { name: t("Status"), width: 120, cell: (user) => <Badge state={user.status} /> },
  { name: t("Seen"), width: 130, cell: (user) => <span className="named"><When time={user.lastSeenAt} never={t("never")} /></span> },
];
const link = (user: User) => `/users/${user.id}`;

export function Component() {
  const may = useMay("users:manage");
  const [opened, { open, close }] = useDisclosure();
  const [filters, change] = useFilters(["search", "status"]);
  const list = useLong(["users", "list", filters.search, filters.status], (cursor, signal) =>
    answered(
      api.GET("/api/v1/users", {
        params: { query: { search: filters.search, status: filters.status as User["status"] | undefined, cursor } },
        signal,
      }),
    ),
  );
  const add = may && (
    <Button onClick={open} leftSection={<IconPlus size={16} aria-hidden />}>
      {t("Add somebody")}
    </Button>
  );
  const bring = may && (
    <Button component={Link} to="/users/import" variant="default" leftSection={<IconUpload size={16} aria-hidden />}>
      {t("Import")}
    </Button>
  );
  return (
    <Page
      title={t("People")}
      lead={t("Who can be told, and who may sign in here.")}
      actions={
        <>
          {bring}
          {add}
        </>
      }
    >
      <div className="filters">
        <Search label={t("Search people")} placeholder={t("Name or e-mail")} value={filters.search} change={(search) => change({ search })} />
        <Select
          placeholder={t("Any status")}
          aria-label={t("Status")}
          clearable
          clearButtonProps={{ "aria-label": t("Clear") }}
          value={filters.status ?? null}
          onChange={(status) => change({ status })}
          data={["active", "pending", "unverified", "disabled"].map((value) => ({ value, label: t(value) }))}
        />
      </div>
      <Section>
        <Listing
          label={t("People")}
          query={list}
          to={link}
          empty={
            <Empty icon={IconUsers} title={t("Nobody fits")} action={add}>
              {t("People come from your backend (users:sync), by invitation, or are added here.")}
            </Empty>
          }
          columns={COLUMNS}
        />
      </Section>
      <NewUser opened={opened} close={close} />
    </Page>
  );
}
