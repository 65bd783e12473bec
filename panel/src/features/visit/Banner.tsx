import { Button } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { tellProblem } from "@/components/ui/told";
import { answered, api } from "@/lib/api";
import { t } from "@/lib/t";
import type { Visit } from "@/lib/visit";
import { left } from "./left";

const EVERY_MS = 500;

/** Who is here as whom, why, and for how long still. It lies above all that a page can open. */
export function Banner({ visit, ended }: { visit: Visit; ended: () => void }) {
  const rest = useRest(visit.expiresAt);
  const ending = useMutation({
    mutationFn: () => answered(api.DELETE("/api/v1/platform/visits/{visit_id}", { params: { path: { visit_id: visit.id } } })),
    onSuccess: ended,
    onError: tellProblem,
  });
  useEffect(() => {
    if (rest === 0) ended();
  }, [rest, ended]);
  return (
    <aside className="visit" aria-label={t("Visit")}>
      <span className="visit-who">
        <strong>{t("{admin} in {project}", { admin: visit.admin.name, project: visit.project.name })}</strong>
        <span className="visit-why">
          <span className="visit-dot"> · </span>
          {visit.reason}
          {!visit.write && ` · ${t("reading only")}`}
        </span>
      </span>
      <span className="visit-left" role="timer" aria-label={t("Time left")} data-soon={rest < 60 ? true : undefined}>
        {left(rest)}
      </span>
      <Button size="compact-sm" color="dark" className="visit-end" onClick={() => ending.mutate()} loading={ending.isPending}>
        {t("End now")}
      </Button>
    </aside>
  );
}

/** Whole seconds until a moment; 0 once it has come. */
function useRest(until: string): number {
  const count = () => Math.max(0, Math.ceil((new Date(until).getTime() - Date.now()) / 1000));
  const [rest, setRest] = useState(count);
  useEffect(() => {
    const timer = setInterval(() => setRest(count()), EVERY_MS);
    return () => clearInterval(timer);
    // Only the moment decides.
    // oxlint-disable-next-line exhaustive-deps
  }, [until]);
  return rest;
}
