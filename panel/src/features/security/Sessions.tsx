import { Button } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { Badge } from "@/components/ui/Badge";
import { Section } from "@/components/ui/Page";
import { Failed, RowSkeletons } from "@/components/ui/States";
import { tell, tellProblem } from "@/components/ui/told";
import { When } from "@/components/ui/When";
import { answered, api, type Schemas } from "@/lib/api";
import { queries, usePages } from "@/lib/queries";
import { t } from "@/lib/t";
import { deviceOf } from "./device";

const again = () => queries.invalidateQueries({ queryKey: ["sessions"] });

/** Where this person is signed in; what is unknown is ended here, and its browser is out at once. */
export function Sessions() {
  const list = usePages(["sessions"], (cursor, signal) => answered(api.GET("/api/v1/auth/sessions", { params: { query: { cursor } }, signal })));
  const ending = useMutation({
    mutationFn: () => answered(api.DELETE("/api/v1/auth/sessions")),
    onSuccess: () => tell(t("You are signed out everywhere else.")),
    onSettled: again,
    onError: tellProblem,
  });
  const others = list.items.some((session) => !session.current);
  const all = others && (
    <Button size="compact-sm" variant="default" loading={ending.isPending} onClick={() => ending.mutate()}>
      {t("Sign out elsewhere")}
    </Button>
  );
  return (
    <Section title={t("Where you are signed in")} aside={all} flush>
      {list.error && <Failed error={list.error} retry={list.refetch} />}
      {list.isPending && <RowSkeletons count={2} />}
      {list.items.map((session) => (
        <OneSession key={session.id} session={session} />
      ))}
      {list.hasNextPage && (
        <div className="more">
          <Button size="xs" variant="default" loading={list.isFetchingNextPage} onClick={() => list.fetchNextPage()}>
            {t("Show more")}
          </Button>
        </div>
      )}
    </Section>
  );
}

function OneSession({ session }: { session: Schemas["SessionAnswer"] }) {
  const device = deviceOf(session.userAgent) ?? t("Unknown program");
  const ending = useMutation({
    mutationFn: () => answered(api.DELETE("/api/v1/auth/sessions/{session_id}", { params: { path: { session_id: session.id } } })),
    onSettled: again,
    onError: tellProblem,
  });
  return (
    <div className="line">
      <div className="line-main">
        <strong title={session.userAgent ?? undefined}>{device}</strong>
        <small>
          {session.ipAddress ?? t("address unknown")} · {t("signed in")} <When time={session.createdAt} />, {t("used")} <When time={session.lastUsedAt} />
        </small>
      </div>
      {session.current ? (
        <Badge state="active">{t("This browser")}</Badge>
      ) : (
        <Button size="compact-xs" variant="subtle" color="gray" loading={ending.isPending} onClick={() => ending.mutate()} aria-label={t("Sign out {device}", { device })}>
          {t("Sign out")}
        </Button>
      )}
    </div>
  );
}
