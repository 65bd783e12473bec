import { Button, Switch } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { Link } from "react-router";
import { Badge } from "@/components/ui/Badge";
import { IconPlus, IconRoute } from "@/components/ui/icons";
import { Listing } from "@/components/ui/Listing";
import { useFilters } from "@/components/ui/filters";
import { Page, Section } from "@/components/ui/Page";
import { Search } from "@/components/ui/Search";
import { Empty } from "@/components/ui/States";
import { tellProblem } from "@/components/ui/told";
import { answered, api, type Schemas } from "@/lib/api";
import { queries, usePages } from "@/lib/queries";
import { useMay } from "@/lib/session";
import { t } from "@/lib/t";

type Rule = Schemas["RuleAnswer"];

export function Component() {
  const [filters, change] = useFilters(["search"]);
  const mayManage = useMay("rules:manage");
  const rules = usePages(["rules", "list", filters.search], (cursor, signal) =>
    answered(api.GET("/api/v1/rules", { params: { query: { search: filters.search, cursor } }, signal })),
  );
  const make = mayManage && (
    <Button component={Link} to="/rules/new" leftSection={<IconPlus size={16} aria-hidden />}>
      {t("Make a rule")}
    </Button>
  );
  return (
    <Page title={t("Rules")} lead={t("Which events matter, who hears of them, and how.")} actions={make}>
      <div className="filters">
        <Search label={t("Search rules")} placeholder={t("Name")} value={filters.search} change={(search) => change({ search })} />
      </div>
      <Section>
        <Listing
          label={t("Rules")}
          query={rules}
          to={(rule) => `/rules/${rule.id}`}
          empty={
            filters.search ? (
              <Empty icon={IconRoute} title={t("Nothing fits")}>
                {t("No rule has this in its name.")}
              </Empty>
            ) : (
              <Empty icon={IconRoute} title={t("No rules yet")} action={make}>
                {t("A rule says: when such an event comes, tell these people, in these words, by these channels.")}
              </Empty>
            )
          }
          columns={[
            { name: t("Name"), cell: (rule) => rule.name },
            { name: t("Events"), cell: (rule) => <Chips names={rule.clock ? [t("by the time of day")] : rule.eventTypes} /> },
            { name: t("Channels"), cell: (rule) => <Chips names={rule.channels} /> },
            { name: t("Priority"), width: 110, cell: (rule) => <Badge state={rule.priority} /> },
            { name: t("On"), width: 130, cell: (rule) => <OnOff rule={rule} may={mayManage} /> },
          ]}
        />
      </Section>
    </Page>
  );
}

function Chips({ names }: { names: string[] }) {
  return (
    <span>
      {names.map((name) => (
        <span key={name} className="chip">
          {name}
        </span>
      ))}
    </span>
  );
}

function OnOff({ rule, may }: { rule: Rule; may: boolean }) {
  const switching = useMutation({
    mutationFn: (active: boolean) =>
      answered(api.PUT("/api/v1/rules/{rule_id}", { params: { path: { rule_id: rule.id } }, body: { active } })),
    onSettled: () => queries.invalidateQueries({ queryKey: ["rules"] }),
    onError: tellProblem,
  });
  if (!may || rule.suspendedReason) return <Badge state={rule.suspendedReason ? "suspended" : rule.active ? "active" : "off"} />;
  return (
    <Switch
      className="row-act"
      checked={switching.isPending ? switching.variables : rule.active}
      onChange={({ currentTarget: { checked } }) => switching.mutate(checked)}
      aria-label={t("{name} is on", { name: rule.name })}
    />
  );
}
