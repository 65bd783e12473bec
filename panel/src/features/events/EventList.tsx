import { Button, Select } from "@mantine/core";
import { Link } from "react-router";
import { IconActivity, IconSend } from "@/components/ui/icons";
import { Page, Section } from "@/components/ui/Page";
import { Search } from "@/components/ui/Search";
import { Empty } from "@/components/ui/States";
import { useFilters } from "@/components/ui/filters";
import { useMay } from "@/lib/session";
import { t } from "@/lib/t";
import { EventRows, useEvents, type EventFilter } from "./EventRows";

export function Component() {
  const [filters, change] = useFilters(["type", "status"]);
  const events = useEvents({ type: filters.type, status: filters.status as EventFilter["status"] });
  const narrowed = Boolean(filters.type || filters.status);
  const clear = () => change({ type: null, status: null });
  return (
    <Page
      title={t("Events")}
      lead={t("What your backend told, and what became of it. Everything here is on disk.")}
      actions={<SendButton />}
    >
      <div className="filters">
        <Search label={t("Type")} placeholder={t("Type, such as order.created")} value={filters.type} change={(type) => change({ type })} />
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
