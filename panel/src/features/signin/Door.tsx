import { Stack, Title } from "@mantine/core";
import { useDocumentTitle } from "@mantine/hooks";
import type { ReactNode } from "react";
import { BrandMark } from "@/components/brand/BrandMark";

interface Props {
  title: string;
  /** In the browser's tab, where it is not the title. */
  tab?: string;
  /** Above the title: the brand, unless it is another. */
  mark?: ReactNode;
  children: ReactNode;
}

/** The frame of every page for those who are not in yet. */
export function Door({ title, tab = title, mark = <BrandMark />, children }: Props) {
  useDocumentTitle(tab);
  return (
    <main className="door">
      <div className="door-card">
        <Stack gap="md">
          {mark}
          <Title order={1} size="h3">
            {title}
          </Title>
          {children}
        </Stack>
      </div>
    </main>
  );
}
