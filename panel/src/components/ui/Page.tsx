import { Anchor, Box, Group, Text, Title } from "@mantine/core";
import { useDocumentTitle } from "@mantine/hooks";
import type { ReactNode } from "react";
import { Link } from "react-router";
import { boot } from "@/lib/boot";
import { ofPlatform, visitId } from "@/lib/place";
import { useSession } from "@/lib/session";
import { t } from "@/lib/t";
import { IconArrowLeft } from "./icons";

interface PageProps {
  title: string;
  lead?: ReactNode;
  actions?: ReactNode;
  back?: { to: string; label: string };
  children: ReactNode;
}

/** A page's head and body: what this is, what can be done with it, and then the thing itself. */
export function Page({ title, lead, actions, back, children }: PageProps) {
  const whose = useWhose();
  useDocumentTitle(title === whose ? title : `${title} · ${whose}`);
  return (
    <Box className="page">
      {back && (
        <Anchor component={Link} to={back.to} size="sm" className="page-back">
          <IconArrowLeft size={14} aria-hidden /> {back.label}
        </Anchor>
      )}
      <Group justify="space-between" align="flex-start" className="page-head" gap="md">
        <div className="page-title">
          <Title order={1} size="h2">
            {title}
          </Title>
          {lead && (
            <Text c="dimmed" size="sm" mt={4} component="div">
              {lead}
            </Text>
          )}
        </div>
        {actions && <Group gap="xs">{actions}</Group>}
      </Group>
      {children}
    </Box>
  );
}

/** Whose panel this is, so that tabs of several can be told apart. */
function useWhose(): string {
  const project = useSession((session) => session.me?.project.name);
  if (ofPlatform && !visitId) return t("Platform");
  return project ?? boot.project?.name ?? "Tocsin";
}

interface SectionProps {
  title?: string;
  aside?: ReactNode;
  /** Whether what is in it reaches its frame, as rows do. */
  flush?: boolean;
  children: ReactNode;
}

/** A framed part of a page. */
export function Section({ title, aside, flush, children }: SectionProps) {
  return (
    <section className="section">
      {title && (
        <Group justify="space-between" className="section-head">
          <Title order={2} size="h5">
            {title}
          </Title>
          {aside}
        </Group>
      )}
      <div className={flush ? "section-body flush" : "section-body"}>{children}</div>
    </section>
  );
}
