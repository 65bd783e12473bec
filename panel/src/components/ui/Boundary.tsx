import { Button, Stack } from "@mantine/core";
import { useRouteError } from "react-router";
import { t } from "@/lib/t";
import { Failed } from "./States";

const TRIED = "tocsin.reloaded";

/** What a page shows that broke. A part that is gone, since a newer version was installed, is fetched by a reload. */
export function Boundary() {
  const error = useRouteError();
  if (isGone(error) && !sessionStorage.getItem(TRIED)) {
    sessionStorage.setItem(TRIED, "1");
    location.reload();
    return null;
  }
  return (
    <Stack className="page" align="flex-start">
      <Failed error={error} />
      <Button variant="default" onClick={() => location.reload()}>
        {t("Reload")}
      </Button>
    </Stack>
  );
}

export function settled(): void {
  sessionStorage.removeItem(TRIED);
}

function isGone(error: unknown): boolean {
  return error instanceof TypeError && /dynamically imported module|Importing a module/.test(error.message);
}
