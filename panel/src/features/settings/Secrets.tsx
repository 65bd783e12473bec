import { useQuery } from "@tanstack/react-query";
import { Id } from "@/components/ui/Code";
import { Facts } from "@/components/ui/Facts";
import { RotatedSecret } from "@/components/ui/RotatedSecret";
import { answered, api } from "@/lib/api";
import { useEnv, type Env } from "@/lib/env";
import { useMay } from "@/lib/session";
import { t } from "@/lib/t";

/** What backends sign with. Nobody can read these again; they can only be made anew. */
export function Secrets() {
  const { env } = useEnv();
  return (
    <>
      <RotatedSecret
        title={env === "live" ? t("Identity secret (Live)") : t("Identity secret (Test)")}
        text={t("Your backend signs with it who a visitor of your site is, so that people sign in here without a password of ours.")}
        rotate={(overlapSeconds) => answered(api.POST("/api/v1/projects/me/identity-secrets/rotate", { body: { env, overlapSeconds } }))}
      />
      <RotatedSecret
        title={env === "live" ? t("Realtime secret (Live)") : t("Realtime secret (Test)")}
        text={t("Your backend signs with it which sockets may hear which private channels.")}
        rotate={(overlapSeconds) => answered(api.POST("/api/v1/projects/me/realtime/rotate", { body: { env, overlapSeconds } }))}
      >
        <RealtimeApp env={env} />
      </RotatedSecret>
    </>
  );
}

function RealtimeApp({ env }: { env: Env }) {
  const may = useMay("realtime:read");
  const { data } = useQuery({
    queryKey: ["project", "realtime", env],
    enabled: may,
    queryFn: ({ signal }) => answered(api.GET("/api/v1/realtime/app", { signal })),
  });
  if (!data) return null;
  return (
    <Facts
      facts={[
        [t("App id"), <Id key="id" value={data.appId} />],
        [t("Public key"), data.key ? <Id key="key" value={data.key} /> : t("none in use")],
      ]}
    />
  );
}
