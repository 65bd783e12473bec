import { t } from "@/lib/t";
import { exact, milliseconds } from "@/lib/when";
import { Badge } from "./Badge";

interface Props {
  number: number;
  outcome: string;
  startedAt: string;
  durationMs: number;
  status: number | null;
  error: string | null;
  answer: string | null;
}

/** One try at a provider or a backend: when, how long, and what it answered. */
export function Attempt({ number, outcome, startedAt, durationMs, status, error, answer }: Props) {
  const words = [t("Attempt {n}", { n: number }), exact(startedAt), status, error];
  return (
    <div className="attempt">
      <Badge state={outcome} />
      <span>{words.filter(Boolean).join(" · ")}</span>
      <span className="dimmed">{milliseconds(durationMs)}</span>
      {answer && <pre>{answer}</pre>}
    </div>
  );
}
