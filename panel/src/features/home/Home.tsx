import { Anchor, Button, Group, Progress, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link, Navigate } from "react-router";
import { IconActivity, IconCheck, IconCircle, IconSend } from "@/components/ui/icons";
import { Page, Section } from "@/components/ui/Page";
import { Empty } from "@/components/ui/States";
import { answered, api } from "@/lib/api";
import { useMay, useSession } from "@/lib/session";
import { t, tn } from "@/lib/t";
import { EventRows, useEvents } from "../events/EventRows";
import { useMonths } from "@/lib/plan";
import { Spent } from "../usage/Spent";
import { useTasks } from "./tasks";

const A_DAY_HOURS = 24;

/** Whoever may see no events is at home on their own page. */
export function Component() {
  return useMay("events:read") ? <ProjectHome /> : <Navigate to="/me" replace />;
}

function ProjectHome() {
  const project = useSession((session) => session.me?.project);
  const maySend = useMay("events:write");
  const events = useEvents({}, 8);
  return (
    <Page
      title={project?.name ?? t("Home")}
      lead={t("What happened in the last 24 hours.")}
      actions={
        maySend && (
          <Button component={Link} to="/events/send" variant="default" leftSection={<IconSend size={16} aria-hidden />}>
            {t("Send an event")}
          </Button>
        )
      }
    >
      <Exhausted />
      <Checklist />
      <Figures />
      <Section
        title={t("Latest events")}
        aside={
          <Anchor component={Link} to="/events" size="sm">
            {t("All events")}
          </Anchor>
        }
      >
        <EventRows
          query={{ ...events, hasNextPage: false }}
          empty={
            <Empty icon={IconActivity} title={t("No events yet")}>
              {t("An event is a fact that your backend tells: an order was placed, a payment failed.")}
            </Empty>
          }
        />
      </Section>
    </Page>
  );
}

/** Of what flows, nothing goes any further. That the rules or people of a plan are all there is no trouble. */
function Exhausted() {
  const { data } = useMonths(useMay("project:read"));
  const flowing = data?.quotas.filter(({ resetsAt }) => resetsAt !== null) ?? [];
  return (
    <Spent quotas={flowing}>
      {t("What that means, and when it begins anew:")}{" "}
      <Anchor component={Link} to="/usage" size="sm" underline="always">
        {t("Plan and usage")}
      </Anchor>
    </Spent>
  );
}

function Checklist() {
  const tasks = useTasks();
  const done = tasks.filter((task) => task.done).length;
  if (tasks.some((task) => task.done === undefined) || done === tasks.length) return null;
  return (
    <Section title={t("Set-up")} aside={<Text size="sm" c="dimmed">{t("{done} of {all} done", { done, all: tasks.length })}</Text>}>
      <Progress value={(done / tasks.length) * 100} size="sm" mb="xs" aria-label={t("Set-up")} />
      {tasks.map((task) => (
        <div key={task.name} className="tick" data-done={task.done}>
          {task.done ? <IconCheck size={18} aria-hidden /> : <IconCircle size={18} aria-hidden />}
          {task.done ? (
            <span>{task.name}</span>
          ) : (
            <Anchor component={Link} to={task.to} size="sm">
              {task.name}
            </Anchor>
          )}
          <span className="visually-hidden">{task.done ? t("done") : t("to do")}</span>
        </div>
      ))}
    </Section>
  );
}

function Figures() {
  const may = useMay("notifications:read");
  const { data } = useQuery({
    queryKey: ["notifications", "stats"],
    enabled: may,
    queryFn: ({ signal }) =>
      answered(api.GET("/api/v1/notifications/stats", { params: { query: { hours: A_DAY_HOURS } }, signal })),
  });
  if (!may) return null;
  const count = (...states: string[]) => states.reduce((sum, state) => sum + (data?.deliveries[state] ?? 0), 0);
  const reached = count("sent", "delivered", "read", "captured");
  const failed = count("failed");
  const figures: [string, number | string, string][] = [
    [t("Notifications"), data?.notifications ?? "–", tn(data?.acknowledged ?? 0, "1 acknowledged", "{n} acknowledged")],
    [t("Waiting for somebody"), data?.awaitingAcknowledgement ?? "–", t("not acknowledged yet")],
    [t("Deliveries"), data ? reached : "–", t("reached their channel")],
    [t("Failed deliveries"), data ? failed : "–", failed ? t("see notifications") : t("all is well")],
  ];
  return (
    <div className="figures">
      {figures.map(([name, number, note]) => (
        <div key={name} className="figure">
          <div className="figure-name">{name}</div>
          <Group gap={8} align="baseline">
            <span className="figure-number">{number.toLocaleString()}</span>
          </Group>
          <Text size="xs" c="dimmed">
            {note}
          </Text>
        </div>
      ))}
    </div>
  );
}
