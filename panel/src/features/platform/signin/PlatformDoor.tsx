import { Stack, Title } from "@mantine/core";
import { useDocumentTitle } from "@mantine/hooks";
import type { ReactNode } from "react";
import { PlatformMark } from "@/components/brand/PlatformMark";
import { t } from "@/lib/t";

export function PlatformDoor({ title, children }: { title: string; children: ReactNode }) {
  useDocumentTitle(`${title} · ${t("Platform")}`);
  return (
    <main className="door">
      <div className="door-card">
        <Stack gap="md">
          <PlatformMark />
          <Title order={1} size="h3">
            {title}
          </Title>
          {children}
        </Stack>
      </div>
    </main>
  );
}
