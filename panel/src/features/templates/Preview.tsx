import { Stack, Text } from "@mantine/core";
import { Section } from "@/components/ui/Page";
import { Failed } from "@/components/ui/States";
import { t } from "@/lib/t";
import { EventPicker } from "../events/EventPicker";
import type { Kind } from "./templates";
import type { Previewing } from "./usePreview";

interface Props {
  of: Kind;
  preview: Previewing;
  button: string | null;
}

/** The words as somebody will read them. */
export function Preview({ of, preview, button }: Props) {
  const { printed, errors, error, events, eventId, choose } = preview;
  return (
    <Section title={t("Preview")}>
      <Stack>
        {of === "notification" && (events.length > 0 ? <EventPicker label={t("With the event")} events={events} value={eventId} change={choose} /> : <Text size="sm" c="dimmed">{t("Once an event was sent, it is printed with its values.")}</Text>)}
        {error ? <Failed error={error} /> : null}
        {of === "layout" ? (
          <Mail html={printed?.body} wrong={Object.keys(errors).length > 0} />
        ) : (
          <div className="letter" role="status" aria-label={t("What is printed")}>
            {printed ? (
              <>
                <strong>{printed.subject || t("(empty)")}</strong>
                {printed.body && <p>{printed.body}</p>}
                {button && <span className="letter-button">{button}</span>}
              </>
            ) : (
              <span className="dimmed">{Object.keys(errors).length ? t("It cannot be printed as it is.") : t("What you write is shown here.")}</span>
            )}
          </div>
        )}
        {printed && printed.missing.length > 0 && (
          <Text size="sm" c="dimmed">
            {t("Without a value here, so nothing is printed for it: {names}", { names: printed.missing.join(", ") })}
          </Text>
        )}
        {of !== "notification" && (
          <Text size="xs" c="dimmed">
            {t("Values in [brackets] stand for the real ones.")}
          </Text>
        )}
      </Stack>
    </Section>
  );
}

/** A whole mail, where nothing of it can run or be followed. */
function Mail({ html, wrong }: { html: string | undefined; wrong: boolean }) {
  if (html && !wrong) return <iframe className="letter-mail" title={t("What is printed")} sandbox="" srcDoc={html} />;
  return (
    <div className="letter" role="status" aria-label={t("What is printed")}>
      <span className="dimmed">{wrong ? t("It cannot be printed as it is.") : t("What you write is shown here.")}</span>
    </div>
  );
}
