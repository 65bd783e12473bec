import { Anchor, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link } from "react-router";
import { Badge } from "@/components/ui/Badge";
import { Section } from "@/components/ui/Page";
import { Failed, RowSkeletons } from "@/components/ui/States";
import { When } from "@/components/ui/When";
import { answered, api } from "@/lib/api";
import { t } from "@/lib/t";
import { AckButton } from "../notifications/Acknowledge";
import { useMe } from "./me";

const SHOWN = 5;

/** The newest of one's own that nobody has seen to; it is told of over the socket, so it is read again by itself. */
export function Waiting() {
  const { id } = useMe();
  const { data, error, refetch } = useQuery({
    queryKey: ["notifications", "mine", id],
    queryFn: ({ signal }) => answered(api.GET("/api/v1/notifications", { params: { query: { userId: id, acknowledged: false, limit: SHOWN } }, signal })),
  });
  const all = (
    <Anchor component={Link} to="/notifications" size="sm">
      {t("All notifications")}
    </Anchor>
  );
  return (
    <Section title={t("Waiting for you")} aside={all} flush>
      {error && <Failed error={error} retry={refetch} />}
      {!data && !error && <RowSkeletons count={2} />}
      {data?.items.length === 0 && (
        <Text size="sm" c="dimmed" p="md">
          {t("Nothing. New notifications appear here by themselves.")}
        </Text>
      )}
      {data?.items.map((one) => (
        <div key={one.id} className="line">
          <div className="line-main">
            <Anchor component={Link} to={`/notifications/${one.id}`} c="inherit">
              <strong>{one.title}</strong>
            </Anchor>
            <small>
              {one.message && `${one.message} · `}
              <When time={one.createdAt} />
            </small>
          </div>
          {one.priority !== "normal" && <Badge state={one.priority} />}
          <AckButton one={one} />
        </div>
      ))}
    </Section>
  );
}
