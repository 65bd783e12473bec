import { Failed, RowSkeletons } from "@/components/ui/States";
import { t } from "@/lib/t";
import { ClockAndLanguage } from "./ClockAndLanguage";
import { DailySummary } from "./DailySummary";
import { OwnPage } from "./OwnPage";
import { usePreferences } from "./preferences";
import { QuietHours } from "./QuietHours";
import { Topics } from "./Topics";
import { Ways } from "./Ways";

export function Component() {
  const { data, error, refetch, change } = usePreferences();
  return (
    <OwnPage title={t("Preferences")} lead={t("What reaches you, by which way, and when. Critical notifications come at any hour.")}>
      {error && <Failed error={error} retry={refetch} />}
      {!data && !error && <RowSkeletons />}
      {data && (
        <>
          <Topics preferences={data} change={change} />
          <Ways preferences={data} change={change} />
          <QuietHours hours={data.quietHours ?? null} change={change} />
          <DailySummary summary={data.dailySummary} change={change} />
        </>
      )}
      <ClockAndLanguage />
    </OwnPage>
  );
}
