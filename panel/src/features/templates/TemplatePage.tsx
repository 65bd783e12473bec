import { Link, useSearchParams } from "react-router";
import { IconPlus } from "@/components/ui/icons";
import { Page, Section } from "@/components/ui/Page";
import { RemoveButton } from "@/components/ui/RemoveButton";
import { Failed, RowSkeletons } from "@/components/ui/States";
import { answered, api } from "@/lib/api";
import { useEnv } from "@/lib/env";
import { useMay } from "@/lib/session";
import { t } from "@/lib/t";
import { TemplateForm } from "./TemplateForm";
import { addressOf, hasDefault, kindIn, languageName, titleOf, useDefaults, useTemplates, type Default, type Key, type Kind, type Template } from "./templates";

export function Component() {
  const key = useKey();
  const all = useTemplates();
  const defaults = useDefaults();
  const mail = hasDefault(key.kind);
  const list = key.kind === "notification" ? "/templates" : `/templates?kind=${mail ? "system_mail" : key.kind}`;
  const same = all.data?.filter((each) => each.kind === key.kind && each.name === key.name) ?? [];
  const saved = same.find((each) => each.language === key.language && each.channel === key.channel);
  const standing = defaults.data?.find((each) => each.kind === key.kind && each.name === key.name);
  const error = all.error ?? defaults.error;
  return (
    <Page title={mail ? titleOf(key.kind, key.name) : key.name || t("New template")} lead={leadOf(key.kind, standing)} back={{ to: list, label: t("Templates") }} actions={saved && <Reset saved={saved} list={list} />}>
      {error ? (
        <Failed error={error} retry={() => void Promise.all([all.refetch(), defaults.refetch()])} />
      ) : !all.data || !defaults.data ? (
        <Section>
          <RowSkeletons />
        </Section>
      ) : (
        <>
          {key.name && <Variants of={key} same={same} />}
          <TemplateForm key={JSON.stringify([key, saved?.version, saved?.env])} of={key} saved={saved} like={saved ?? same[0] ?? standing} standing={standing} />
        </>
      )}
    </Page>
  );
}

function useKey(): Key {
  const [search] = useSearchParams();
  return {
    kind: kindIn(search.get("kind")),
    name: search.get("name") ?? "",
    language: search.get("language") ?? "",
    channel: search.get("channel"),
  };
}

function leadOf(kind: Kind, standing: Default | undefined): string {
  if (kind === "digest") return t("Digests of rules name it; each reader gets it in their language.");
  if (kind === "notification") return t("Rules name it; each person gets it in their language.");
  if (kind === "layout") return t("The HTML around what notifications say by mail. Each reader gets it in their language.");
  const said = t("A mail that goes out in your project's name.");
  return standing?.button ? `${said} ${t("Its link stands below the words, and no wording loses it.")}` : said;
}

/** The same words in other languages and for other channels, and one more. */
function Variants({ of, same }: { of: Key; same: Template[] }) {
  const may = useMay("project:manage");
  if (!same.length) return null;
  return (
    <nav className="variants" aria-label={t("Languages and channels")}>
      {same.map((each) => (
        <Link key={each.id} to={addressOf(each)} className="chip" aria-current={each.language === of.language && each.channel === of.channel ? "page" : undefined}>
          {[languageName(each.language), each.channel].filter(Boolean).join(" · ")}
        </Link>
      ))}
      {may && (
        <Link to={addressOf({ kind: of.kind, name: of.name })} className="chip" aria-current={of.language ? undefined : "page"}>
          <IconPlus size={12} aria-hidden /> {hasDefault(of.kind) ? t("another language") : t("another language or channel")}
        </Link>
      )}
    </nav>
  );
}

function Reset({ saved, list }: { saved: Template; list: string }) {
  const may = useMay("project:manage");
  const { env } = useEnv();
  if (!may || saved.env !== env) return null;
  const mail = hasDefault(saved.kind);
  const layout = saved.kind === "layout";
  const words = { name: saved.name, language: languageName(saved.language) };
  return (
    <RemoveButton
      label={mail ? t("Reset to the default") : t("Delete")}
      title={mail ? t("Reset to the default?") : t("Delete {name} in {language}?", words)}
      text={layout ? t("Your layout in {language} is gone. Where no other is left, mails look like the default.", words) : mail ? t("Your words in {language} are gone; the mail goes out in the default words.", words) : t("Rules that name it say their own title and message where no other language is left.")}
      remove={() => answered(api.DELETE("/api/v1/templates/{template_id}", { params: { path: { template_id: saved.id } } }))}
      list={list}
      name="templates"
    />
  );
}
