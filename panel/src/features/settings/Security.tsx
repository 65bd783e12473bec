import { Switch, TagsInput } from "@mantine/core";
import { Loaded } from "@/components/ui/Loaded";
import { useMay } from "@/lib/session";
import { t } from "@/lib/t";
import { Part } from "./Part";
import { update, useSettings, type Settings } from "./project";
import { Secrets } from "./Secrets";

export function Security() {
  const settings = useSettings();
  const mayRotate = useMay("keys:manage");
  return (
    <>
      <Loaded query={settings}>{(found) => <Doors settings={found} />}</Loaded>
      {mayRotate && <Secrets />}
    </>
  );
}

function Doors({ settings: { security = {} } }: { settings: Settings }) {
  const initial = { require2fa: security.require2fa ?? false, requireSso: security.requireSso ?? false, ipAllowList: security.ipAllowList ?? [] };
  return (
    <Part title={t("Who gets in")} initial={initial} save={(values) => update({ security: values })}>
      {(form) => (
        <>
          <Switch label={t("Require a second factor")} description={t("Whoever has none sets one up at the next sign-in.")} {...form.getInputProps("require2fa", { type: "checkbox" })} />
          <Switch label={t("Require single sign-on")} description={t("Passwords are refused, except those of owners.")} {...form.getInputProps("requireSso", { type: "checkbox" })} />
          <TagsInput
            label={t("Only from these addresses")}
            description={t("Networks from which panel, API and keys may be used. Your own must be among them. Empty: from everywhere.")}
            placeholder={form.values.ipAllowList.length ? undefined : "203.0.113.0/24"}
            {...form.getInputProps("ipAllowList")}
          />
        </>
      )}
    </Part>
  );
}
