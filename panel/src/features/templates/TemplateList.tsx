import { Button, SegmentedControl, Select } from "@mantine/core";
import { Link } from "react-router";
import { useFilters } from "@/components/ui/filters";
import { IconPlus, IconTemplate } from "@/components/ui/icons";
import { Listing } from "@/components/ui/Listing";
import { Page, Section } from "@/components/ui/Page";
import { Empty } from "@/components/ui/States";
import { When } from "@/components/ui/When";
import { useMay } from "@/lib/session";
import { t } from "@/lib/t";
import { addressOf, hasDefault, kindIn, languageName, titleOf, useDefaults, useTemplates, type Kind, type Template } from "./templates";

export function Component() {
  const [filters, change] = useFilters(["kind", "language", "channel"]);
  const kind = kindIn(filters.kind);
  const mails = hasDefault(kind);
  const may = useMay("project:manage");
  const add = may && !mails && (
    <Button component={Link} to={addressOf({ kind })} leftSection={<IconPlus size={16} aria-hidden />}>
      {t("New template")}
    </Button>
  );
  return (
    <Page title={t("Templates")} lead={t("Words that several rules share, and your own words for the mails that people get about accounts.")} actions={add}>
      <div className="filters">
        <SegmentedControl
          size="xs"
          aria-label={t("Kind")}
          value={mails ? "system_mail" : kind}
          onChange={(chosen) => change({ kind: chosen === "notification" ? null : chosen, language: null, channel: null })}
          data={[
            { value: "notification", label: t("Notifications") },
            { value: "digest", label: t("Digests") },
            { value: "system_mail", label: t("Mails") },
          ]}
        />
        {!mails && <Narrow kind={kind} filters={filters} change={change} />}
      </div>
      <Section>{mails ? <Mails /> : <Words kind={kind} filters={filters} add={add} />}</Section>
    </Page>
  );
}

type Filters = ReturnType<typeof useFilters<"kind" | "language" | "channel">>;

function useWords(kind: Kind): { all: ReturnType<typeof useTemplates>; words: Template[] } {
  const all = useTemplates();
  return { all, words: all.data?.filter((each) => each.kind === kind) ?? [] };
}

const EVERY_CHANNEL = "all";
const channelOf = ({ channel }: Template) => channel ?? EVERY_CHANNEL;

/** By language and channel, where there is something to choose from. */
function Narrow({ kind, filters, change }: { kind: Kind; filters: Filters[0]; change: Filters[1] }) {
  const { words } = useWords(kind);
  const languages = [...new Set(words.map(({ language }) => language))];
  const channels = [...new Set(words.map(channelOf))];
  return (
    <>
      {(languages.length > 1 || filters.language) && (
        <Select size="xs" aria-label={t("Language")} placeholder={t("Any language")} clearable data={languages.map((code) => ({ value: code, label: languageName(code) }))} value={filters.language ?? null} onChange={(language) => change({ language })} />
      )}
      {(channels.length > 1 || filters.channel) && (
        <Select size="xs" aria-label={t("Channel")} placeholder={t("Any channel")} clearable data={channels.map((name) => ({ value: name, label: name === EVERY_CHANNEL ? t("all channels") : name }))} value={filters.channel ?? null} onChange={(channel) => change({ channel })} />
      )}
    </>
  );
}

function Words({ kind, filters, add }: { kind: Kind; filters: Filters[0]; add: React.ReactNode }) {
  const { all, words } = useWords(kind);
  const items = words.filter((each) => (!filters.language || each.language === filters.language) && (!filters.channel || channelOf(each) === filters.channel));
  return (
    <Listing
      label={kind === "digest" ? t("Templates of digests") : t("Templates of notifications")}
      query={{ ...all, items }}
      to={(each) => addressOf(each)}
      empty={
        words.length ? (
          <Empty icon={IconTemplate} title={t("Nothing fits")}>
            {t("No template is in this language for this channel.")}
          </Empty>
        ) : (
          <Empty icon={IconTemplate} title={t("No templates yet")} action={add}>
            {kind === "digest"
              ? t("Words for what rules gather: a digest names them, and each reader gets them in their language.")
              : t("Write words once and name them in several rules; each person gets them in their language.")}
          </Empty>
        )
      }
      columns={[
        { name: t("Name"), cell: (each) => each.name },
        { name: t("Language"), width: 150, cell: (each) => languageName(each.language) },
        { name: t("Channel"), width: 140, cell: (each) => (each.channel ? <span className="chip">{each.channel}</span> : <span className="dimmed">{t("all")}</span>) },
        { name: t("Title"), cell: (each) => <code className="says">{each.subject}</code> },
        { name: t("Changed"), width: 130, cell: (each) => <When time={each.updatedAt} /> },
      ]}
    />
  );
}

function Mails() {
  const defaults = useDefaults();
  const { data: all = [] } = useTemplates();
  const items = (defaults.data ?? [])
    .map((each) => ({ ...each, id: each.name, own: all.filter(({ kind, name }) => kind === each.kind && name === each.name) }))
    .sort((one, other) => Number(other.kind === "layout") - Number(one.kind === "layout"));
  return (
    <Listing
      label={t("Mails")}
      query={{ ...defaults, items }}
      empty={null}
      to={(each) => addressOf({ kind: each.kind, name: each.name, language: each.own[0]?.language ?? "en" })}
      columns={[
        { name: t("Mail"), cell: (each) => titleOf(each.kind, each.name) },
        { name: t("Subject"), cell: (each) => (each.kind === "layout" ? <span className="dimmed">{t("what stands around the mails of notifications")}</span> : <code className="says">{each.own[0]?.subject ?? each.subject}</code>) },
        { name: t("Your own"), width: 190, cell: (each) => <Languages own={each.own} /> },
      ]}
    />
  );
}

function Languages({ own }: { own: Template[] }) {
  if (!own.length) return <span className="dimmed">{t("none yet")}</span>;
  return (
    <span>
      {own.map(({ id, language }) => (
        <span key={id} className="chip">
          {languageName(language)}
        </span>
      ))}
    </span>
  );
}
