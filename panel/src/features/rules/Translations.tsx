import { ActionIcon, Autocomplete, Button, Text, Textarea, TextInput } from "@mantine/core";
import { useState } from "react";
import { IconPlus, IconTrash } from "@/components/ui/icons";
import { Lacking } from "@/components/ui/NoRoom";
import { useLack } from "@/lib/plan";
import { t } from "@/lib/t";
import type { Editing } from "./editing";
import type { Draft } from "./draft";
import { LinkFields } from "./LinkFields";

interface Translation {
  title?: string | null;
  message?: string | null;
  action?: Draft["action"];
}

interface Props {
  /** Where they stand in the rule, as the server names it in what it refuses. */
  path?: string;
  /** Whether a language may lead elsewhere, too. */
  links?: boolean;
  translations: Record<string, Translation>;
  error: Editing["error"];
  change: (translations: Record<string, Translation> | null) => void;
}

const LANGUAGE = /^[a-z]{2,3}(-[A-Z][a-z]{3})?(-[A-Z]{2})?$/;
const COMMON = ["de", "en", "es", "fr", "it", "nl", "pl", "pt-BR", "ru", "tr", "zh"];
const MOST = 20;
const names = new Intl.DisplayNames(undefined, { type: "language" });

/** The words in further languages; what one leaves out is as above. */
export function Translations({ path = "translations", links = true, translations, error, change }: Props) {
  const lack = useLack("languages");
  const languages = Object.keys(translations);
  const put = (next: Record<string, Translation>) => change(Object.keys(next).length ? next : null);
  return (
    <div>
      <Text size="sm" fw={600}>
        {t("In other languages")}
      </Text>
      <Text size="xs" c="dimmed" mb="xs">
        {error(path, true) ?? t("Each person gets their own; what is left out is as above.")}
      </Text>
      <div className="steps">
        {languages.map((language) => (
          <OneLanguage
            key={language}
            language={language}
            words={translations[language]!}
            links={links}
            error={(name) => error(`${path}.${language}${name}`, !name)}
            change={(words) => put({ ...translations, [language]: words })}
            remove={() => put(Object.fromEntries(Object.entries(translations).filter(([each]) => each !== language)))}
          />
        ))}
      </div>
      {lack && <Lacking lack={lack} />}
      {!lack && languages.length < MOST && <NewLanguage taken={languages} add={(language) => put({ ...translations, [language]: {} })} />}
    </div>
  );
}

interface OneProps {
  language: string;
  words: Translation;
  links: boolean;
  error: (name: string) => string | undefined;
  change: (words: Translation) => void;
  remove: () => void;
}

function OneLanguage({ language, words, links, error, change, remove }: OneProps) {
  const name = named(language);
  return (
    <div className="inset" role="group" aria-label={name}>
      <div className="step-head">
        <Text size="sm" fw={600}>
          {name} <span className="chip">{language}</span>
        </Text>
        <ActionIcon variant="subtle" color="gray" aria-label={t("Remove {language}", { language: name })} onClick={remove}>
          <IconTrash size={16} />
        </ActionIcon>
      </div>
      <TextInput label={t("Title")} value={words.title ?? ""} error={error(".title") ?? error("")} onChange={({ currentTarget }) => change({ ...words, title: currentTarget.value || null })} />
      <Textarea label={t("Message")} autosize minRows={2} value={words.message ?? ""} error={error(".message")} onChange={({ currentTarget }) => change({ ...words, message: currentTarget.value || null })} />
      {links && <LinkFields action={words.action} error={(part) => error(`.action${part}`)} change={(action) => change({ ...words, action })} />}
    </div>
  );
}

function NewLanguage({ taken, add }: { taken: string[]; add: (language: string) => void }) {
  const [language, setLanguage] = useState("");
  const fits = LANGUAGE.test(language) && !taken.includes(language);
  const take = () => {
    add(language);
    setLanguage("");
  };
  return (
    <div className="add-language">
      <Autocomplete
        aria-label={t("Language")}
        placeholder="de, pt-BR"
        data={COMMON.filter((each) => !taken.includes(each))}
        renderOption={({ option }) => `${option.value} · ${named(option.value)}`}
        value={language}
        onChange={setLanguage}
      />
      <Button variant="default" leftSection={<IconPlus size={14} aria-hidden />} disabled={!fits} onClick={take}>
        {t("Language")}
      </Button>
    </div>
  );
}

/** "German" for de. */
function named(language: string): string {
  return names.of(language) ?? language;
}
