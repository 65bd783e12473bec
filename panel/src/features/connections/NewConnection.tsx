import { TextInput } from "@mantine/core";
import { useState } from "react";
import { useNavigate, useSearchParams } from "react-router";
import { nameOf } from "@/components/ui/channels";
import { Lacking } from "@/components/ui/NoRoom";
import { Page, Section } from "@/components/ui/Page";
import { Failed, RowSkeletons } from "@/components/ui/States";
import { handOver } from "@/lib/handed";
import { useLack } from "@/lib/plan";
import { t } from "@/lib/t";
import { ConnectionForm } from "./ConnectionForm";
import { GUIDED, useProviders, type Provider } from "./providers";
import type { Store } from "./store";

export function Component() {
  return <Connecting title={t("Connect a channel")} lead={t("By which way shall messages reach people?")} guided={GUIDED} />;
}

interface Props {
  title: string;
  lead: string;
  store?: Store;
  /** Which of the providers may be chosen. */
  fits?: (provider: Provider) => boolean;
  /** Those with a guide instead of a form. */
  guided?: Set<string>;
}

const ALL = () => true;
const NONE: Set<string> = new Set();

/** First the provider, then its form. */
export function Connecting({ title, lead, store, fits = ALL, guided = NONE }: Props) {
  const go = useNavigate();
  const [search, setSearch] = useSearchParams();
  const { data: known, error, refetch } = useProviders();
  const data = known?.filter(fits);
  const lack = useLack("webhooks");
  const done = (id: string, secret: string | null) => {
    handOver(id, secret);
    go(`/connections/${id}`);
  };
  const chosen = data?.find((each) => each.provider === search.get("provider"));
  return (
    <Page
      title={chosen ? t("Connect {title}", { title: chosen.title }) : title}
      lead={chosen ? undefined : lead}
      back={chosen ? { to: "/connections/new", label: t("Other channels") } : { to: "/connections", label: t("Connections") }}
    >
      {error && <Failed error={error} retry={refetch} />}
      {!data && !error && <RowSkeletons />}
      {chosen && (
        <Section>
          {lack && chosen.channel === "webhook" && !store ? <Lacking lack={lack} /> : <ConnectionForm provider={chosen} store={store} done={done} />}
        </Section>
      )}
      {data && !chosen && <Choices providers={data} choose={(provider) => (guided.has(provider) ? void go(`/connections/${provider}`) : setSearch({ provider }))} />}
    </Page>
  );
}

export function Choices({ providers, choose }: { providers: Provider[]; choose: (provider: string) => void }) {
  const [search, setSearch] = useState("");
  const fitting = providers.filter((each) => `${each.title} ${each.channel}`.toLowerCase().includes(search.toLowerCase()));
  return (
    <>
      <TextInput mb="md" maw={320} placeholder={t("E-mail, WhatsApp, SMS …")} aria-label={t("Search channels")} value={search} onChange={({ currentTarget }) => setSearch(currentTarget.value)} />
      <div className="choices">
        {fitting.map((each) => (
          <button key={each.provider} type="button" className="choice" onClick={() => choose(each.provider)}>
            <strong>{each.title}</strong>
            <span>{each.reaches === "person" ? t("{way}, to each person", { way: nameOf(each.channel) }) : t("To the project, once")}</span>
          </button>
        ))}
      </div>
    </>
  );
}
