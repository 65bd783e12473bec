import { Anchor, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link } from "react-router";
import { Badge } from "@/components/ui/Badge";
import { useFilters } from "@/components/ui/filters";
import { Section } from "@/components/ui/Page";
import { Failed, RowSkeletons } from "@/components/ui/States";
import { answered, api, type Schemas } from "@/lib/api";
import { useMay } from "@/lib/session";
import { t } from "@/lib/t";
import { PersonField } from "../users/PersonField";
import { ExplainedRule } from "./ExplainedRule";

type Explanation = Schemas["Explanation"];

/** Why a person did or did not get an event. Who is asked about stands in the address, so an answer can be shared. */
export function Explain({ eventId }: { eventId: string }) {
  const mayFind = useMay("users:read");
  const [{ person }, change] = useFilters(["person"]);
  if (!mayFind) return null;
  return (
    <Section title={t("Why did somebody get it, or not?")}>
      <div className="narrow" style={{ marginTop: 0 }}>
        <PersonField label={t("Person")} value={person ?? null} change={(id) => change({ person: id })} />
      </div>
      {person && <Answer eventId={eventId} person={person} />}
    </Section>
  );
}

function Answer({ eventId, person }: { eventId: string; person: string }) {
  const { data, error, refetch } = useQuery({
    queryKey: ["events", "explain", eventId, person],
    queryFn: ({ signal }) =>
      answered(api.GET("/api/v1/events/{event_id}/explain", { params: { path: { event_id: eventId }, query: { userId: person } }, signal })),
  });
  if (!data) return error ? <Failed error={error} retry={refetch} /> : <RowSkeletons count={2} />;
  return <Explained said={data} />;
}

const VERDICTS = {
  received: ["ok", t("Got it")],
  pending: ["queued", t("Still to come")],
  not_received: ["failed", t("Did not get it")],
} as const;

function Explained({ said }: { said: Explanation }) {
  const [state, words] = VERDICTS[said.verdict];
  return (
    <div className="arrived" role="status">
      <div className="verdict">
        <Badge state={state}>{words}</Badge>
        <Text>{said.sentence}</Text>
      </div>
      <Person said={said} />
      {said.rules.map((rule) => (
        <ExplainedRule key={rule.ruleId} rule={rule} userId={said.userId} />
      ))}
      {said.rulesSince.length > 0 && <Since rules={said.rulesSince} />}
    </div>
  );
}

/** What is known of the person: their roles now, and then where they were others. */
function Person({ said: { userId, status, rolesNow, rolesThen } }: { said: Explanation }) {
  const changed = rolesThen && rolesNow && rolesThen.join() !== rolesNow.join();
  return (
    <Text size="sm" c="dimmed" mt={6}>
      <Anchor component={Link} to={`/users/${userId}`} size="sm" underline="always">
        {t("The person")}
      </Anchor>
      {" · "}
      <Badge state={status} />
      {rolesNow && ` · ${rolesNow.length ? t("roles: {roles}", { roles: rolesNow.join(", ") }) : t("no roles")}`}
      {changed && ` · ${t("then: {roles}", { roles: rolesThen.join(", ") || t("none") })}`}
    </Text>
  );
}

function Since({ rules }: { rules: Explanation["rulesSince"] }) {
  return (
    <div className="since">
      <Text size="sm" fw={550}>
        {t("And today?")}
      </Text>
      {rules.map((rule) => (
        <Text key={rule.ruleId} size="sm">
          <Anchor component={Link} to={`/rules/${rule.ruleId}`} size="sm" fw={600}>
            {rule.ruleName}
          </Anchor>{" "}
          {rule.sentence}
        </Text>
      ))}
    </div>
  );
}
