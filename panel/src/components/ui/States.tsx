import { Alert, Button, Code, Group, Skeleton, Stack, Text, Title } from "@mantine/core";
import type { Icon } from "@tabler/icons-react";
import type { ReactNode } from "react";
import { Link } from "react-router";
import { asProblem, type Problem } from "@/lib/problem";
import { t } from "@/lib/t";
import { IconAlert } from "./icons";
import { NoRoom, ofPlan } from "./NoRoom";

interface EmptyProps {
  icon: Icon;
  title: string;
  children: ReactNode;
  action?: ReactNode;
}

/** What this place is for, and the one thing to do about its being empty. */
export function Empty({ icon: Picture, title, children, action }: EmptyProps) {
  return (
    <Stack align="center" gap="xs" className="empty">
      <div className="empty-icon">
        <Picture size={26} stroke={1.6} aria-hidden />
      </div>
      <Title order={2} size="h4">
        {title}
      </Title>
      <Text c="dimmed" size="sm" maw={440} ta="center">
        {children}
      </Text>
      {action && <Group mt="sm">{action}</Group>}
    </Stack>
  );
}

/** A failure in the server's own words, with the id by which its log knows it. */
export function Failed({ error, retry }: { error: unknown; retry?: () => void }) {
  const problem = asProblem(error);
  if (ofPlan(problem)) return <NoRoom problem={problem} />;
  return (
    <Alert color="red" icon={<IconAlert aria-hidden />} className="failed" role="alert">
      <Text size="sm">{problem.message}</Text>
      <Group mt="xs" gap="sm">
        {problem.code === "second_factor_enrolment_required" && (
          <Button size="compact-sm" component={Link} to="/me/security">
            {t("Set up a second factor")}
          </Button>
        )}
        {retry && (
          <Button size="compact-sm" variant="default" onClick={retry}>
            {t("Try again")}
          </Button>
        )}
        {problem.requestId && (
          <Text size="xs" c="dimmed">
            {t("Request")} <Code>{problem.requestId}</Code>
          </Text>
        )}
      </Group>
    </Alert>
  );
}

/** Beside the button of a form: what the server refuses stands at its fields, which may be out of sight. */
export function Marked({ problem }: { problem: Problem | null }) {
  if (!problem?.errors.length) return null;
  return (
    <Text size="sm" c="var(--mantine-color-error)" role="alert">
      {t("Not saved: see what is marked.")}
    </Text>
  );
}

export function RowSkeletons({ count = 6 }: { count?: number }) {
  return (
    <Stack gap={0} aria-busy="true" aria-label={t("Loading")} role="status">
      {Array.from({ length: count }, (_, row) => (
        <Group key={row} className="skeleton-row" wrap="nowrap">
          <Skeleton height={12} width="30%" />
          <Skeleton height={12} width="20%" />
          <Skeleton height={12} width="15%" ml="auto" />
        </Group>
      ))}
    </Stack>
  );
}
