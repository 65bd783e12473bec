import { useQuery } from "@tanstack/react-query";
import { useNavigate, useParams, useSearchParams } from "react-router";
import { Page, Section } from "@/components/ui/Page";
import { RemoveButton } from "@/components/ui/RemoveButton";
import { Failed, RowSkeletons } from "@/components/ui/States";
import { tell, warn } from "@/components/ui/told";
import { answered, api, type Schemas } from "@/lib/api";
import { queries } from "@/lib/queries";
import { useMay } from "@/lib/session";
import { t } from "@/lib/t";
import { draftOf, type Draft } from "./draft";
import { RuleForm } from "./RuleForm";

type Rule = Schemas["RuleAnswer"];

export function Component() {
  const { id } = useParams();
  const [search] = useSearchParams();
  const { data, error, refetch } = useQuery({
    queryKey: ["rules", "one", id],
    enabled: id !== undefined,
    refetchOnWindowFocus: false,
    queryFn: ({ signal }) => answered(api.GET("/api/v1/rules/{rule_id}", { params: { path: { rule_id: id! } }, signal })),
  });
  const back = { to: "/rules", label: t("Rules") };
  if (!id) {
    return (
      <Page title={t("New rule")} lead={t("When such an event comes, tell these people.")} back={back}>
        <Editor key="new" draft={draftOf(null, search.get("type"))} />
      </Page>
    );
  }
  return (
    <Page title={data?.name ?? t("Rule")} lead={data && t("Version {n}", { n: data.version })} back={back} actions={data && <Remove rule={data} />}>
      {data?.suspendedReason && <Failed error={new Error(data.suspendedReason)} />}
      {data ? <Editor key={data.id} draft={draftOf(data)} rule={data} /> : error ? <Failed error={error} retry={refetch} /> : <Section><RowSkeletons /></Section>}
    </Page>
  );
}

function Editor({ draft, rule }: { draft: Draft; rule?: Rule }) {
  const go = useNavigate();
  const save = async (changes: Partial<Draft>, whole: Draft) => {
    const saved = rule
      ? await answered(api.PUT("/api/v1/rules/{rule_id}", { params: { path: { rule_id: rule.id } }, body: changes }))
      : await answered(api.POST("/api/v1/rules", { body: whole }));
    tell(t("Saved. It counts for events from now on."));
    for (const { detail } of saved.warnings ?? []) warn(detail);
    queries.setQueryData(["rules", "one", saved.id], saved);
    void queries.invalidateQueries({ queryKey: ["rules"] });
    if (!rule) await go(`/rules/${saved.id}`, { replace: true });
    return saved;
  };
  return <RuleForm rule={rule ?? null} draft={draft} save={save} />;
}

function Remove({ rule }: { rule: Rule }) {
  const may = useMay("rules:manage");
  if (!may) return null;
  return (
    <RemoveButton
      title={t("Delete {name}?", { name: rule.name })}
      text={t("Events are no longer compared with it. What it made stays.")}
      remove={() => answered(api.DELETE("/api/v1/rules/{rule_id}", { params: { path: { rule_id: rule.id } } }))}
      list="/rules"
      name="rules"
    />
  );
}
