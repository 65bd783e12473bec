import { Button, Group, Menu, ActionIcon } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { Badge } from "@/components/ui/Badge";
import { Id } from "@/components/ui/Code";
import { confirm } from "@/components/ui/confirm";
import { IconDots, IconKey, IconPlus } from "@/components/ui/icons";
import { Listing } from "@/components/ui/Listing";
import { Page, Section } from "@/components/ui/Page";
import { Secret } from "@/components/ui/Secret";
import { Empty } from "@/components/ui/States";
import { tellProblem } from "@/components/ui/told";
import { When } from "@/components/ui/When";
import { answered, api, type Schemas } from "@/lib/api";
import { queries, usePages } from "@/lib/queries";
import { t, tn } from "@/lib/t";
import { NewKey } from "./NewKey";

type Key = Schemas["KeyAnswer"];
interface Shown {
  name: string;
  secret: string;
}

export function Component() {
  const [opened, { open, close }] = useDisclosure();
  const [shown, setShown] = useState<Shown | null>(null);
  const list = usePages(["keys"], (cursor, signal) =>
    answered(api.GET("/api/v1/projects/me/api-keys", { params: { query: { cursor } }, signal })),
  );
  const add = (
    <Button onClick={open} leftSection={<IconPlus size={16} aria-hidden />}>
      {t("New key")}
    </Button>
  );
  return (
    <Page title={t("API keys")} lead={t("With these your backend sends events. A test key's events never leave this machine.")} actions={add}>
      {shown && <Secret name={t("Secret of {name}", { name: shown.name })} value={shown.secret} />}
      <Section>
        <Listing
          label={t("API keys")}
          query={list}
          empty={
            <Empty icon={IconKey} title={t("No keys")} action={add}>
              {t("Your backend needs one to send events.")}
            </Empty>
          }
          columns={[
            { name: t("Name"), cell: (key) => <strong>{key.name}</strong> },
            { name: t("Public key"), cell: (key) => <Id value={key.key} /> },
            { name: t("May"), width: 155, cell: (key) => <span title={key.permissions.join(", ")}>{tn(key.permissions.length, "1 permission", "{n} permissions")}</span> },
            { name: t("Status"), width: 110, cell: (key) => <Badge state={key.status} /> },
            { name: t("Last used"), width: 120, cell: (key) => <span className="named"><When time={key.lastUsedAt} never={t("never")} /></span> },
            { name: t("Do"), silent: true, width: 60, cell: (key) => <KeyMenu apiKey={key} show={setShown} /> },
          ]}
        />
      </Section>
      <NewKey opened={opened} close={close} made={(made) => setShown(made)} />
    </Page>
  );
}

const A_DAY_SECONDS = 86_400;

function KeyMenu({ apiKey, show }: { apiKey: Key; show: (shown: Shown) => void }) {
  const path = { params: { path: { key_id: apiKey.id } } };
  const again = () => queries.invalidateQueries({ queryKey: ["keys"] });
  const rotating = useMutation({
    mutationFn: () => answered(api.POST("/api/v1/projects/me/api-keys/{key_id}/rotate", { ...path, body: { overlapSeconds: A_DAY_SECONDS } })),
    onSuccess: (made) => show({ name: apiKey.name, secret: made.secret }),
    onSettled: again,
    onError: tellProblem,
  });
  const revoking = useMutation({
    mutationFn: () => answered(api.DELETE("/api/v1/projects/me/api-keys/{key_id}", path)),
    onSettled: again,
    onError: tellProblem,
  });
  if (apiKey.status === "revoked") return null;
  const ask = () =>
    confirm({
      title: t("Revoke {name}?", { name: apiKey.name }),
      text: t("Whatever uses it is refused within a second. This cannot be taken back."),
      yes: t("Revoke"),
      act: () => revoking.mutate(),
    });
  return (
    <Group justify="flex-end">
      <Menu position="bottom-end">
        <Menu.Target>
          <ActionIcon variant="subtle" color="gray" aria-label={t("What to do with {name}", { name: apiKey.name })} loading={rotating.isPending || revoking.isPending}>
            <IconDots size={18} />
          </ActionIcon>
        </Menu.Target>
        <Menu.Dropdown>
          <Menu.Item onClick={() => rotating.mutate()}>{t("New secret; the old one works a day longer")}</Menu.Item>
          <Menu.Item color="red" onClick={ask}>
            {t("Revoke")}
          </Menu.Item>
        </Menu.Dropdown>
      </Menu>
    </Group>
  );
}
