import { Button } from "@mantine/core";
import { useEffect } from "react";
import { Link } from "react-router";
import { IconBraces, IconPlus } from "@/components/ui/icons";
import { Listing } from "@/components/ui/Listing";
import { Page, Section } from "@/components/ui/Page";
import { Empty } from "@/components/ui/States";
import { When } from "@/components/ui/When";
import { answered, api } from "@/lib/api";
import { useEnv } from "@/lib/env";
import { usePages } from "@/lib/queries";
import { useMay } from "@/lib/session";
import { t } from "@/lib/t";
import { ModeBadge } from "./modes";

const AT_ONCE = 200;

export function Component() {
  const may = useMay("rules:manage");
  const { env } = useEnv();
  const list = usePages(["event-types", "list"], (cursor, signal) =>
    answered(api.GET("/api/v1/event-types", { params: { query: { cursor } }, signal })),
  );
  const add = may && (
    <Button component={Link} to="/event-types/new" leftSection={<IconPlus size={16} aria-hidden />}>
      {t("Describe a type")}
    </Button>
  );
  return (
    <Page title={t("Event types")} lead={t("What your events look like, so that mistakes show where they are made.")} actions={add}>
      <Section>
        <Listing
          label={t("Event types")}
          query={list}
          to={(type) => `/event-types/${type.id}`}
          empty={
            <Empty icon={IconBraces} title={t("No type is described yet")} action={add}>
              {t("Events of any type are taken. Describe one, and payloads that do not fit are told in their story or refused.")}
            </Empty>
          }
          columns={[
            { name: t("Type"), cell: (type) => <code>{type.name}</code> },
            { name: t("Description"), cell: (type) => type.description ?? <span className="dimmed">–</span> },
            { name: t("Check"), width: 130, cell: (type) => <ModeBadge mode={type.mode} /> },
            { name: t("Last seen"), width: 130, cell: (type) => <When time={type.lastSeenAt} never={t("never")} /> },
            ...(env === "test" ? [{ name: t("From"), width: 90, cell: (type: { env: string }) => <span className="chip">{type.env === "test" ? t("Test") : t("Live")}</span> }] : []),
          ]}
        />
      </Section>
      <Seen may={may} />
    </Page>
  );
}

/** What was sent and nobody has described. */
function Seen({ may }: { may: boolean }) {
  const seen = usePages(["event-types", "seen"], (cursor, signal) =>
    answered(api.GET("/api/v1/event-types/seen", { params: { query: { cursor, limit: AT_ONCE } }, signal })),
  );
  const items = seen.items.filter((type) => !type.registered).map((type) => ({ ...type, id: type.name }));
  const { hasNextPage, isFetchingNextPage, fetchNextPage } = seen;
  const goOn = !items.length && hasNextPage && !isFetchingNextPage;
  useEffect(() => void (goOn && fetchNextPage()), [goOn, fetchNextPage]);
  if (!seen.isPending && !seen.error && !items.length) return null;
  return (
    <Section title={t("Seen, and not described")}>
      <Listing
        label={t("Types that were seen")}
        query={{ ...seen, items }}
        empty={null}
        columns={[
          { name: t("Type"), cell: (type) => <code>{type.name}</code> },
          { name: t("First seen"), width: 150, cell: (type) => <span className="named"><When time={type.firstSeenAt} /></span> },
          { name: t("Last seen"), width: 150, cell: (type) => <span className="named"><When time={type.lastSeenAt} /></span> },
          ...(may ? [{ name: t("Do"), silent: true, width: 130, cell: (type: { name: string }) => <Describe name={type.name} /> }] : []),
        ]}
      />
    </Section>
  );
}

function Describe({ name }: { name: string }) {
  return (
    <Button component={Link} to={`/event-types/new?name=${encodeURIComponent(name)}`} size="compact-sm" variant="default" aria-label={t("Describe {name}", { name })}>
      {t("Describe")}
    </Button>
  );
}
