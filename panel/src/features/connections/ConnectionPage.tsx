import { Alert, Button, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link, useParams } from "react-router";
import { Badge } from "@/components/ui/Badge";
import { Id } from "@/components/ui/Code";
import { Facts } from "@/components/ui/Facts";
import { IconAlert } from "@/components/ui/icons";
import { Page, Section } from "@/components/ui/Page";
import { RemoveButton } from "@/components/ui/RemoveButton";
import { Secret } from "@/components/ui/Secret";
import { Failed, RowSkeletons } from "@/components/ui/States";
import { When } from "@/components/ui/When";
import { answered, api } from "@/lib/api";
import { useHanded } from "@/lib/handed";
import { useMay, useSession } from "@/lib/session";
import { t } from "@/lib/t";
import { Health } from "./Health";
import { GUIDED, useTitles } from "./providers";
import { Settings } from "./Settings";
import { Setup } from "./Setup";
import { accountOf, type Connection } from "./setup";
import { at, OF_PROJECT } from "./store";
import { Verify } from "./Verify";

export function Component() {
  const { id = "" } = useParams();
  const secret = useHanded(id);
  const title = useTitles();
  const { data, error, refetch } = useQuery({
    queryKey: ["connections", "one", id],
    queryFn: ({ signal }) => answered(api.GET("/api/v1/connections/{connection_id}", { ...at(id), signal })),
  });
  return (
    <Page title={data?.name ?? t("Connection")} lead={data && title(data.provider)} back={{ to: "/connections", label: t("Connections") }} actions={data && <Actions one={data} />}>
      {secret && <Secret name={t("Signing secret")} value={secret} />}
      {error ? <Failed error={error} retry={refetch} /> : data ? <Whole one={data} /> : <RowSkeletons />}
    </Page>
  );
}

/** Whether whoever is signed in may change it: a person's is theirs alone, the platform's is its operator's. */
function useMine({ owner, userId }: Connection): boolean {
  const may = useMay("connections:manage");
  const me = useSession((session) => session.me?.user.id);
  return may && (owner === "project" || userId === me);
}

function Whole({ one }: { one: Connection }) {
  const may = useMine(one);
  return (
    <>
      {one.statusReason && (
        <Alert color={one.status === "error" ? "red" : "yellow"} icon={<IconAlert aria-hidden />} mb="md" radius="lg">
          <Text size="sm">{one.statusReason}</Text>
        </Alert>
      )}
      <Section>
        <Facts
          facts={[
            [t("Status"), <Badge key="status" state={one.status} />],
            [t("Health"), <Badge key="health" state={one.healthStatus} />],
            [t("Verified"), <When key="verified" time={one.verifiedAt} never={t("not yet")} />],
            [t("Account"), accountOf(one)],
            [t("Id"), <Id key="id" value={one.id} />],
          ]}
        />
      </Section>
      {may && <Verify one={one} />}
      {may && <Setup id={one.id} />}
      <Settings one={one} may={may} />
      <Health id={one.id} />
    </>
  );
}

function Actions({ one }: { one: Connection }) {
  const may = useMine(one);
  if (!may) return null;
  return (
    <>
      {one.owner === "project" && GUIDED.has(one.provider) && (
        <Button component={Link} to={`/connections/${one.provider}/${one.id}`} variant="default">
          {t("Set-up guide")}
        </Button>
      )}
      <RemoveButton
        title={t("Delete {name}?", { name: one.name })}
        text={t("Its credentials are destroyed. Messages of this channel take the next connection, if there is one.")}
        remove={() => OF_PROJECT.remove(one.id)}
        list="/connections"
        name="connections"
      />
    </>
  );
}
