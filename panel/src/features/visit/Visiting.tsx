import { Button, Text } from "@mantine/core";
import { useEffect, type ReactNode } from "react";
import { Empty } from "@/components/ui/States";
import { IconEnter } from "@/components/ui/icons";
import { useSession } from "@/lib/session";
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
  const back = visit ? `/platform/projects/${visit.project.id}` : "/platform/";
  return (
    <main className="door">
      <div className="door-card" style={{ maxWidth: 460 }}>
        <Empty
          icon={IconEnter}
          title={visit ? t("The visit to {name} is over", { name: visit.project.name }) : t("There is no such visit")}
          action={
            <Button component="a" href={back}>
              {t("Back to the platform")}
            </Button>
          }
        >
          <Text span>{visit ? t("Nothing of it is open any more. Its audit log says who was there, why, and until when.") : t("It may have ended, or you are signed out.")}</Text>
        </Empty>
      </div>
    </main>
  );
}
