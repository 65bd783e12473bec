import { TextInput } from "@mantine/core";
import { useState } from "react";
import { useNavigate, useSearchParams } from "react-router";
import { Page, Section } from "@/components/ui/Page";
import { Failed, RowSkeletons } from "@/components/ui/States";
import { handOver } from "@/lib/handed";
import { t } from "@/lib/t";
import { ConnectionForm } from "./ConnectionForm";
import { GUIDED, useProviders, type Provider } from "./providers";

export function Component() {
  const go = useNavigate();
  const [search, setSearch] = useSearchParams();
  const { data, error, refetch } = useProviders();
  const done = (id: string, secret: string | null) => {
    handOver(id, secret);
    go(`/connections/${id}`);
  };
  const chosen = data?.find((each) => each.provider === search.get("provider"));
  return (
    <Page
      title={chosen ? t("Connect {title}", { title: chosen.title }) : t("Connect a channel")}
      lead={chosen ? undefined : t("By which way shall messages reach people?")}
      back={chosen ? { to: "/connections/new", label: t("Other channels") } : { to: "/connections", label: t("Connections") }}
    >
      {error && <Failed error={error} retry={refetch} />}
      {!data && !error && <RowSkeletons />}
      {chosen && (
        <Section>
          <ConnectionForm provider={chosen} done={done} />
        </Section>
      )}
      {data && !chosen && <Choices providers={data} choose={(provider) => (GUIDED.has(provider) ? void go(`/connections/${provider}`) : setSearch({ provider }))} />}
    </Page>
  );
}

export function Choices({ providers, choose }: { providers: Provider[]; choose: (provider: string) => void }) {
  const [search, setSearch] = useState("");
  const fitting = providers.filter((each) => `${each.title} ${each.channel}`.toLowerCase().includes(search.toLowerCase()));
  return (
    <>
      <TextInput mb="md" maw={320} placeholder={t("Telegram, e-mail, Slack …")} aria-label={t("Search channels")} value={search} onChange={({ currentTarget }) => setSearch(currentTarget.value)} />
      <div className="choices">
        {fitting.map((each) => (
          <button key={each.provider} type="button" className="choice" onClick={() => choose(each.provider)}>
            <strong>{each.title}</strong>
            <span>{each.reaches === "person" ? t("{channel}, to people", { channel: each.channel }) : t("{channel}, to the project", { channel: each.channel })}</span>
          </button>
        ))}
      </div>
    </>
  );
}
