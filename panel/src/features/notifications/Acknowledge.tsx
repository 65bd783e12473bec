import { Button } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { IconCheck } from "@/components/ui/icons";
import { tellProblem } from "@/components/ui/told";
import { answered, api, type Schemas } from "@/lib/api";
import { queries } from "@/lib/queries";
import { t } from "@/lib/t";

type Notification = Schemas["NotificationAnswer"];

interface Props {
  one: Pick<Notification, "id" | "title" | "requireAck" | "acknowledgedBy">;
  size?: "compact-sm" | "sm";
  done?: () => void;
}

export function standing(one: Notification): string {
  if (one.acknowledgedBy.length) return "acknowledged";
  if (one.requireAck) return "waiting";
  if (one.deliveryError) return "failed";
  return one.delivered > 0 ? "delivered" : "queued";
}

/** "I see to it": stops repeats and sounds, everywhere. */
export function AckButton({ one, size = "compact-sm", done }: Props) {
  const acting = useMutation({
    mutationFn: () =>
      answered(
        api.PUT("/api/v1/notifications/{notification_id}/acknowledge", {
          params: { path: { notification_id: one.id } },
          body: {},
        }),
      ),
    onSuccess: done,
    onSettled: () => queries.invalidateQueries({ queryKey: ["notifications"] }),
    onError: tellProblem,
  });
  if (one.acknowledgedBy.length || acting.isSuccess) return null;
  return (
    <Button
      className="row-act"
      size={size}
      variant={one.requireAck ? "filled" : "default"}
      leftSection={<IconCheck size={14} aria-hidden />}
      loading={acting.isPending}
      onClick={() => acting.mutate()}
      aria-label={t("Acknowledge {title}", { title: one.title })}
    >
      {t("Acknowledge")}
    </Button>
  );
}
