import { useMutation, useQuery } from "@tanstack/react-query";
import { useNavigate, useParams, useSearchParams } from "react-router";
import { Page, Section } from "@/components/ui/Page";
import { RemoveButton } from "@/components/ui/RemoveButton";
import { Failed, RowSkeletons } from "@/components/ui/States";
import { tell } from "@/components/ui/told";
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
      {error ? <Failed error={error} retry={refetch} /> : data ? <Editor key={data.version} draft={draftOf(data)} rule={data} /> : <Section><RowSkeletons /></Section>}
    </Page>
  );
}

function Editor({ draft, rule }: { draft: Draft; rule?: Rule }) {
  const go = useNavigate();
  const saving = useMutation({
    mutationFn: (body: Omit<Draft, "eventTypes"> & Partial<Draft>) =>
      rule
        ? answered(api.PUT("/api/v1/rules/{rule_id}", { params: { path: { rule_id: rule.id } }, body }))
        : answered(api.POST("/api/v1/rules", { body })),
    onSuccess: async (saved) => {
      tell(t("Saved. It counts for events from now on."));
      queries.setQueryData(["rules", "one", saved.id], saved);
      await queries.invalidateQueries({ queryKey: ["rules"] });
      if (!rule) await go(`/rules/${saved.id}`, { replace: true });
    },
  });
  return <RuleForm draft={draft} save={(body) => saving.mutateAsync(body)} saving={saving.isPending} clocked={Boolean(rule?.clock)} />;
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
