import { Button } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { IconRefresh } from "@/components/ui/icons";
import { tellProblem } from "@/components/ui/told";
import { answered, api, type Schemas } from "@/lib/api";
import { queries } from "@/lib/queries";
import { useMay } from "@/lib/session";
import { t } from "@/lib/t";

export function RetryButton({ delivery }: { delivery: Schemas["DeliveryAnswer"] }) {
  const may = useMay("deliveries:manage");
  const retrying = useMutation({
    mutationFn: () => answered(api.POST("/api/v1/deliveries/{delivery_id}/retry", { params: { path: { delivery_id: delivery.id } } })),
    onSuccess: () => queries.invalidateQueries({ queryKey: ["notifications"] }),
    onError: tellProblem,
  });
  if (!may || delivery.state !== "failed") return null;
  return (
    <Button size="compact-sm" variant="default" leftSection={<IconRefresh size={14} aria-hidden />} loading={retrying.isPending} onClick={() => retrying.mutate()}>
      {t("Try again")}
    </Button>
  );
}
