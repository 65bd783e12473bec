import { Button } from "@mantine/core";
import { Link } from "react-router";
import { IconSearch } from "@/components/ui/icons";
import { Page } from "@/components/ui/Page";
import { Empty } from "@/components/ui/States";
import { t } from "@/lib/t";

export function NotFound() {
  return (
    <Page title={t("Nothing here")}>
      <Empty
        icon={IconSearch}
        title={t("There is no such page")}
        action={
          <Button component={Link} to="/">
            {t("Home")}
          </Button>
        }
      >
        {t("It may have been moved or removed.")}
      </Empty>
    </Page>
  );
}
