import { t } from "@/lib/t";

export type Tone = "ok" | "bad" | "warn" | "busy" | "quiet";

/** States of everything, in words a person would use, with a tone. Never by colour alone. */
const STATES: Record<string, [Tone, string]> = {
  received: ["busy", "Received"],
  processed: ["ok", "Processed"],
  failed: ["bad", "Failed"],
  notified: ["ok", "Notified"],
  no_rule: ["quiet", "No rule"],
  no_match: ["quiet", "No match"],
  nobody: ["warn", "Nobody to tell"],
  rule_error: ["bad", "Rule error"],
  poison: ["bad", "Given up"],
  queued: ["busy", "Queued"],
  sent: ["ok", "Sent"],
  delivered: ["ok", "Delivered"],
  read: ["ok", "Read"],
  held: ["quiet", "Held"],
  gathered: ["quiet", "Gathered"],
  suppressed: ["quiet", "Suppressed"],
  dropped: ["quiet", "Dropped"],
  captured: ["ok", "Captured"],
  cancelled: ["quiet", "Cancelled"],
  active: ["ok", "Active"],
  pending: ["warn", "Pending"],
  suspended: ["warn", "Suspended"],
  rate_limited: ["warn", "Rate limited"],
  error: ["bad", "Error"],
  unknown: ["quiet", "Not checked"],
  healthy: ["ok", "Healthy"],
  degraded: ["warn", "Degraded"],
  failing: ["bad", "Failing"],
  revoked: ["quiet", "Revoked"],
  paused: ["warn", "Paused"],
  disabled: ["quiet", "Disabled"],
  unverified: ["warn", "Unverified"],
  critical: ["bad", "Critical"],
  high: ["warn", "High"],
  normal: ["quiet", "Normal"],
  low: ["quiet", "Low"],
  ok: ["ok", "OK"],
  temporary: ["warn", "Will retry"],
  permanent: ["bad", "Refused"],
  credentials: ["bad", "Credentials refused"],
  off: ["quiet", "Off"],
  acknowledged: ["ok", "Acknowledged"],
  waiting: ["warn", "Waiting for somebody"],
  trial: ["busy", "Trial"],
  verified: ["ok", "Proven"],
  open: ["busy", "Open"],
  accepted: ["ok", "Accepted"],
  expired: ["quiet", "Expired"],
  withdrawn: ["quiet", "Withdrawn"],
};

export function Badge({ state, children }: { state: string; children?: string }) {
  const [tone, words] = STATES[state] ?? ["quiet", state];
  return (
    <span className="badge" data-tone={tone}>
      {children ?? t(words)}
    </span>
  );
}
