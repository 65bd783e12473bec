import { Anchor, Switch } from "@mantine/core";
import { useMutation, useQuery } from "@tanstack/react-query";
import { Link } from "react-router";
import { tellProblem } from "@/components/ui/told";
import { answered, api } from "@/lib/api";
import { useMay } from "@/lib/session";
import { t } from "@/lib/t";
import { useMe } from "../me/me";
import { supported } from "./browser";
import { atHome, Refused, turnOff, turnOn, usePush } from "./push";

/** Whether this browser tells its person things while the panel is closed. */
export function PushSwitch() {
  const { id } = useMe();
  const on = usePush(({ here }) => here?.userId === id);
  const { data } = useQuery({
    queryKey: ["web-push"],
    queryFn: ({ signal }) => answered(api.GET("/api/v1/web-push", { params: atHome(), signal })),
  });
  const turning = useMutation({
    mutationFn: (wanted: boolean) => (wanted ? turnOn(id, data!.publicKey!) : turnOff()),
    onError: (error) => error instanceof Refused || error instanceof DOMException || tellProblem(error),
  });
  if (!data) return null;
  const can = supported() && data.publicKey !== null;
  return (
    <div className="line">
      <div className="line-main">
        <strong id="push">{t("Notify me in this browser even when this page is closed")}</strong>
        <small id="push-why">
          <Why connected={data.publicKey !== null} on={on} error={turning.error} />
        </small>
      </div>
      <Switch checked={on} disabled={!on && !can} onChange={({ currentTarget: { checked } }) => turning.mutate(checked)} aria-labelledby="push" aria-describedby="push-why" />
    </div>
  );
}

function Why({ connected, on, error }: { connected: boolean; on: boolean; error: Error | null }) {
  const may = useMay("connections:manage");
  if (!supported()) return isSecureContext ? t("This browser has no Web Push. On an iPhone or iPad, add this page to the Home Screen and open it from there.") : t("Browsers take messages over https alone.");
  if (!connected && may)
    return (
      <Anchor component={Link} to="/connections/new?provider=webpush" size="xs">
        {t("Connect Web Push first")}
      </Anchor>
    );
  if (!connected) return t("Your project does not send to browsers. Who looks after its connections can connect Web Push.");
  if (Notification.permission === "denied" || error instanceof Refused) return t("The browser refuses: allow notifications for this site in its settings.");
  if (error instanceof DOMException) return t("The browser did not reach its push service: {said}", { said: error.message });
  return on ? t("What rules send to browsers is shown by your system, with its own sound.") : t("For what rules send to browsers. Your system shows it.");
}
