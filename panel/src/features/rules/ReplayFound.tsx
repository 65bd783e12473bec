import { Anchor, Button, Text } from "@mantine/core";
import { useState } from "react";
import { Link } from "react-router";
import { Badge } from "@/components/ui/Badge";
import { t, tn } from "@/lib/t";
import { exact } from "@/lib/when";
import { PersonName } from "../users/PersonName";
import type { Change, Example, Found } from "./replay";
import { waysOf } from "./summary";

const CHANGES: Record<Change, { words: string; state: string; count: keyof Found["counts"] }> = {
  newly_matching: { words: t("Newly told"), state: "ok", count: "newlyMatching" },
  no_longer_matching: { words: t("No longer told"), state: "held", count: "noLongerMatching" },
  recipients: { words: t("Other people"), state: "queued", count: "recipientsChanged" },
  texts: { words: t("Other words"), state: "queued", count: "textsChanged" },
  channels: { words: t("Other channels"), state: "queued", count: "channelsChanged" },
  destinations: { words: t("Other places"), state: "queued", count: "destinationsChanged" },
  priority: { words: t("Another priority"), state: "queued", count: "priorityChanged" },
  sound: { words: t("Another sound"), state: "queued", count: "soundChanged" },
  insistence: { words: t("Insists otherwise"), state: "queued", count: "insistenceChanged" },
  digest: { words: t("Another digest"), state: "queued", count: "digestChanged" },
  throttle: { words: t("Another limit"), state: "queued", count: "throttleChanged" },
  error: { words: t("Goes wrong"), state: "error", count: "errors" },
};

/** What would be different, in figures and in examples; a figure shows its own. */
export function ReplayFound({ found: { counts, examples } }: { found: Found }) {
  const [only, setOnly] = useState<Change | null>(null);
  const kinds = (Object.keys(CHANGES) as Change[]).filter((change) => counts[CHANGES[change].count] > 0);
  const shown = examples.filter((example) => !only || example.changes.includes(only));
  return (
    <>
      <div className="figures compact">
        <Figure name={t("Told then")} number={counts.matchedThen} />
        <Figure name={t("Would be told")} number={counts.matchedNow} />
      </div>
      <Course counts={counts} />
      {kinds.length === 0 && <Text size="sm">{t("Nothing would be different.")}</Text>}
      {kinds.length > 0 && (
        <div className="days" role="group" aria-label={t("What would be different")}>
          {kinds.map((change) => (
            <Button key={change} size="compact-sm" variant={only === change ? "filled" : "default"} aria-pressed={only === change} onClick={() => setOnly(only === change ? null : change)}>
              {CHANGES[change].words} · {counts[CHANGES[change].count].toLocaleString()}
            </Button>
          ))}
        </div>
      )}
      {only && shown.length === 0 && <Text size="sm" c="dimmed">{t("None of these is among the first examples.")}</Text>}
      {shown.map((example) => (
        <OneExample key={example.eventId} example={example} />
      ))}
    </>
  );
}

/** What became of them, for so many people together, and would; nothing where none of it happens. */
function Course({ counts }: { counts: Found["counts"] }) {
  const shown = [
    { name: t("In a digest"), past: counts.gatheredThen, now: counts.gatheredNow },
    { name: t("One too many"), past: counts.throttledThen, now: counts.throttledNow },
    { name: t("Told again"), past: counts.toldAgainThen, now: counts.toldAgainNow },
  ].filter(({ past, now }) => past + now > 0);
  if (shown.length === 0) return null;
  return (
    <Text size="sm" c="dimmed">
      {shown.map(({ name, past, now }) => t("{name}: {past} then, {now} now", { name, past: past.toLocaleString(), now: now.toLocaleString() })).join(" · ")}
    </Text>
  );
}

function Figure({ name, number }: { name: string; number: number }) {
  return (
    <div className="figure">
      <div className="figure-name">{name}</div>
      <div className="figure-number">{number.toLocaleString()}</div>
    </div>
  );
}

function OneExample({ example }: { example: Example }) {
  const { then, now } = example;
  return (
    <article className="rule-story" style={{ marginTop: 0 }}>
      <header>
        <Anchor component={Link} to={`/events/${example.eventId}`} target="_blank" size="sm" fw={600}>
          {example.eventType}
        </Anchor>
        <Text size="xs" c="dimmed">
          {exact(example.receivedAt)}
        </Text>
        {example.changes.map((change) => (
          <Badge key={change} state={CHANGES[change].state}>
            {CHANGES[change].words}
          </Badge>
        ))}
      </header>
      <div className="then-now">
        <Side name={then.ruleVersion ? t("Then, version {n}", { n: then.ruleVersion }) : t("Then")} changes={example.changes} {...then} />
        <Side name={t("Now")} changes={example.changes} {...now} />
      </div>
      <Moved example={example} />
    </article>
  );
}

function Side({ name, changes, matched, reason, rendered, how, recipientsTotal }: { name: string; changes: Change[] } & Example["now"]) {
  const ways = how ? waysOf(how, changes) : [];
  return (
    <div>
      <Text size="xs" c="dimmed">
        {name}
      </Text>
      {matched && rendered ? (
        <>
          <Text size="sm" fw={600}>
            {rendered.title}
          </Text>
          {rendered.message && (
            <Text size="sm" lineClamp={3}>
              {rendered.message}
            </Text>
          )}
          <Text size="xs" c="dimmed">
            {tn(recipientsTotal, "1 person", "{n} people")}
          </Text>
          {ways.length > 0 && (
            <dl className="ways">
              {ways.map(([way, value]) => (
                <div key={way}>
                  <dt>{way}</dt>
                  <dd>{value}</dd>
                </div>
              ))}
            </dl>
          )}
        </>
      ) : (
        <Text size="sm">{reason}</Text>
      )}
    </div>
  );
}

const MOST_NAMED = 5;

/** Who would hear of it and did not, and the other way round. */
function Moved({ example: { gained, lost, changes } }: { example: Example }) {
  if (!changes.includes("recipients")) return null;
  return (
    <div className="delivery">
      {gained.length > 0 && <Names lead={t("As well:")} ids={gained} />}
      {lost.length > 0 && <Names lead={t("No longer:")} ids={lost} />}
    </div>
  );
}

function Names({ lead, ids }: { lead: string; ids: string[] }) {
  return (
    <Text size="sm">
      {lead}{" "}
      {ids.slice(0, MOST_NAMED).map((id) => (
        <span key={id} className="chip">
          <PersonName id={id} />
        </span>
      ))}
      {ids.length > MOST_NAMED && t("and {n} more", { n: ids.length - MOST_NAMED })}
    </Text>
  );
}
