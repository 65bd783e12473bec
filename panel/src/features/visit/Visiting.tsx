import { Button, Stack, Text, Title } from "@mantine/core";
import { useDocumentTitle } from "@mantine/hooks";
import { modals } from "@mantine/modals";
import { useEffect, type ReactNode } from "react";
import { PlatformMark } from "@/components/brand/PlatformMark";
import { queries } from "@/lib/queries";
import { reread, useSession } from "@/lib/session";
import { t } from "@/lib/t";
import { endHere, useVisit, type Visit } from "@/lib/visit";
import { Banner } from "./Banner";

/** A project's panel while an admin of the platform is in it: a banner above everything, and an end by itself. */
export default function Visiting({ children }: { children: ReactNode }) {
  const { visit, over } = useVisit();
  const status = useSession((session) => session.status);
  useEffect(() => {
    document.documentElement.toggleAttribute("data-visit", Boolean(visit) && !over);
  }, [visit, over]);
  useEffect(() => {
    // A later visit to the same project has taken this one's place, and this page would not be told.
    const look = () => void reread().catch(() => {});
    addEventListener("focus", look);
    return () => removeEventListener("focus", look);
  }, []);
  useEffect(() => {
    if (!over) return;
    modals.closeAll();
    queries.clear();
  }, [over]);
  if (over || status === "out") return <Over visit={visit} />;
  if (!visit || status !== "in") return null;
  return (
    <>
      <Banner visit={visit} ended={endHere} />
      {children}
    </>
  );
}

function Over({ visit }: { visit: Visit | null }) {
  const title = visit ? t("The visit to {name} is over", { name: visit.project.name }) : t("There is no such visit");
  useDocumentTitle(title);
  return (
    <main className="door">
      <div className="door-card">
        <Stack>
          <PlatformMark />
          <Title order={1} size="h3">
            {title}
          </Title>
          <Text size="sm" c="dimmed">
            {visit ? t("Nothing of it is open any more. The project reads in its audit log who was there, why, and until when.") : t("It may have ended long ago, or you are signed out.")}
          </Text>
          <Button component="a" href={visit ? `/platform/projects/${visit.project.id}` : "/platform/"} fullWidth>
            {t("Back to the platform")}
          </Button>
        </Stack>
      </div>
    </main>
  );
}
