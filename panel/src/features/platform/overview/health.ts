import { useQuery } from "@tanstack/react-query";
import { t } from "@/lib/t";

export interface Health {
  ready: boolean;
  words: string;
  broker?: boolean;
}

const EVERY_MS = 15_000;
const WORDS: Record<string, string> = { ready: t("Ready"), draining: t("Ending"), "database unavailable": t("No database") };

/** Whether the process that answers us can take work. 503 is an answer here. */
export function useHealth() {
  return useQuery({
    queryKey: ["health"],
    refetchInterval: EVERY_MS,
    queryFn: async ({ signal }): Promise<Health> => {
      const answer = await fetch("/health/ready", { signal });
      const { status, broker } = (await answer.json()) as { status: string; broker?: boolean };
      return { ready: answer.ok, words: WORDS[status] ?? status, broker };
    },
  });
}
