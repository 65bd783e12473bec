import { Button, Select, TextInput } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { useState } from "react";
import { Link } from "react-router";
import { IconActivity, IconSend } from "@/components/ui/icons";
import { Page, Section } from "@/components/ui/Page";
import { Empty } from "@/components/ui/States";
import { useFilters } from "@/components/ui/filters";
import { useMay } from "@/lib/session";
import { t } from "@/lib/t";
import { EventRows, useEvents, type EventFilter } from "./EventRows";

const SETTLE_MS = 250;

export function Component() {
  const [filters, change] = useFilters(["type", "status"]);
  const [type, setType] = useState(filters.type ?? "");
  const [settled] = useDebouncedValue(type, SETTLE_MS);
  const events = useEvents({ type: settled || undefined, status: filters.status as EventFilter["status"] });
  const narrowed = Boolean(settled || filters.status);
  const clear = () => {
    setType("");
    change({ type: null, status: null });
  };
  return (
    <Page
      title={t("Events")}
      lead={t("What your backend told, and what became of it. Everything here is on disk.")}
      actions={<SendButton />}
    >
      <div className="filters">
        <TextInput
          placeholder={t("Type, such as order.created")}
          aria-label={t("Type")}
          value={type}
          onChange={({ currentTarget: { value } }) => {
            setType(value);
            change({ type: value || null });
          }}
        />
        <Select
          placeholder={t("Any status")}
          aria-label={t("Status")}
          clearable
          clearButtonProps={{ "aria-label": t("Clear") }}
          value={filters.status ?? null}
          onChange={(status) => change({ status })}
          data={[
            { value: "received", label: t("Received") },
            { value: "processed", label: t("Processed") },
            { value: "failed", label: t("Failed") },
          ]}
        />
      </div>
      <Section>
        <EventRows query={events} empty={narrowed ? <NoneFits clear={clear} /> : <NoneYet />} />
      </Section>
    </Page>
  );
}

function SendButton() {
  const may = useMay("events:write");
  if (!may) return null;
  return (
    <Button component={Link} to="/events/send" leftSection={<IconSend size={16} aria-hidden />}>
      {t("Send an event")}
    </Button>
  );
}

function NoneYet() {
  return (
    <Empty icon={IconActivity} title={t("No events yet")} action={<SendButton />}>
      {t("An event is a fact that your backend tells: an order was placed, a payment failed. Send one from here to see its way.")}
    </Empty>
  );
}

function NoneFits({ clear }: { clear: () => void }) {
  return (
    <Empty
      icon={IconActivity}
      title={t("Nothing fits")}
      action={
        <Button variant="default" onClick={clear}>
          {t("Clear filters")}
        </Button>
      }
    >
      {t("There are events, but none with this type and status.")}
    </Empty>
  );
}
