import { useState } from "react";
import { Page } from "@/components/ui/Page";
import { t } from "@/lib/t";
import { guessed, type Checked, type Mapping } from "./fields";
import { Preview } from "./Preview";
import { Run } from "./Run";
import { Source } from "./Source";
import type { Sheet } from "./table";

/** People from a file: where from, what its columns mean, and then step by step. */
export function Component() {
  const [sheet, setSheet] = useState<Sheet | null>(null);
  const [mapping, setMapping] = useState<Mapping>({});
  const [people, setPeople] = useState<Checked[] | null>(null);
  const take = (found: Sheet) => {
    setSheet(found);
    setMapping(guessed(found));
  };
  const again = () => {
    setSheet(null);
    setPeople(null);
  };
  return (
    <Page title={t("Import people")} lead={t("Who is known already, by own id or e-mail, is updated; everybody else is added. Nobody gets a mail.")} back={{ to: "/users", label: t("People") }}>
      {!sheet && <Source take={take} />}
      {sheet && !people && <Preview sheet={sheet} mapping={mapping} map={setMapping} begin={setPeople} back={again} />}
      {people && <Run people={people} again={again} />}
    </Page>
  );
}
