import { MultiSelect, Switch, TagsInput } from "@mantine/core";
import { Section } from "@/components/ui/Page";
import { useMay } from "@/lib/session";
import { t } from "@/lib/t";
import { PeopleField } from "../users/PersonField";
import { useRoles } from "../users/roles";
import { useDestinations } from "./choices";
import type { Editing } from "./editing";
import { Fields } from "./Fields";

/** Whom the rule tells. */
export function WhoPart({ rule: { values, set, error } }: { rule: Editing }) {
  const mayFind = useMay("users:read");
  const roles = useRoles().map((role) => role.name);
  const destinations = useDestinations();
  return (
    <Section title={t("Who")}>
      <Fields>
        <MultiSelect
          label={t("Roles")}
          description={t("Everybody who has one of them is told.")}
          data={[...new Set([...roles, ...values.targetRoles])]}
          searchable
          hidePickedOptions
          value={values.targetRoles}
          error={error("targetRoles")}
          onChange={(targetRoles) => set({ targetRoles })}
        />
        {mayFind && (
          <PeopleField label={t("People")} value={values.targetUsers} error={error("targetUsers")} change={(targetUsers) => set({ targetUsers })} />
        )}
        <Switch
          label={t("Whom the event is about")}
          description={t("The person whose own id stands in payload.userId.")}
          checked={values.targetPayloadUser}
          error={error("targetPayloadUser")}
          onChange={({ currentTarget }) => set({ targetPayloadUser: currentTarget.checked })}
        />
        <TagsInput
          label={t("Destinations")}
          description={t("Group chats, topics, mailboxes: of each person the one they call so, else the project's.")}
          data={destinations}
          acceptValueOnBlur
          value={values.targetDestinations}
          error={error("targetDestinations")}
          onChange={(targetDestinations) => set({ targetDestinations })}
        />
      </Fields>
    </Section>
  );
}
