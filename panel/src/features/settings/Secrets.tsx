import { Button, Group, Modal, Select, Stack, Text } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { useMutation, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Id } from "@/components/ui/Code";
import { Facts } from "@/components/ui/Facts";
import { Section } from "@/components/ui/Page";
import { Secret } from "@/components/ui/Secret";
import { Failed } from "@/components/ui/States";
import { answered, api } from "@/lib/api";
import { useEnv, type Env } from "@/lib/env";
import { useMay } from "@/lib/session";
import { t } from "@/lib/t";
import { exact } from "@/lib/when";

const OVERLAPS = [
  { value: "86400", label: t("a day") },
  { value: "3600", label: t("an hour") },
  { value: "604800", label: t("a week") },
  { value: "0", label: t("not at all: it leaked") },
];

interface Rotated {
  secret: string;
  previousUntil: string | null;
}

/** What backends sign with. Nobody can read these again; they can only be made anew. */
export function Secrets() {
  const { env } = useEnv();
  return (
    <>
      <OneSecret
        title={env === "live" ? t("Identity secret (Live)") : t("Identity secret (Test)")}
        text={t("Your backend signs with it who a visitor of your site is, so that people sign in here without a password of ours.")}
        rotate={(overlapSeconds) => answered(api.POST("/api/v1/projects/me/identity-secrets/rotate", { body: { env, overlapSeconds } }))}
      />
      <OneSecret
        title={env === "live" ? t("Realtime secret (Live)") : t("Realtime secret (Test)")}
        text={t("Your backend signs with it which sockets may hear which private channels.")}
        rotate={(overlapSeconds) => answered(api.POST("/api/v1/projects/me/realtime/rotate", { body: { env, overlapSeconds } }))}
      >
        <RealtimeApp env={env} />
      </OneSecret>
    </>
  );
}

interface Props {
  title: string;
  text: string;
  rotate: (overlapSeconds: number) => Promise<Rotated>;
  children?: React.ReactNode;
}

function OneSecret({ title, text, rotate, children }: Props) {
  const [opened, { open, close }] = useDisclosure();
  const [made, setMade] = useState<Rotated | null>(null);
  return (
    <Section
      title={title}
      aside={
        <Button size="compact-sm" variant="default" onClick={open} aria-label={t("New secret: {name}", { name: title })}>
          {t("New secret")}
        </Button>
      }
    >
      <Stack gap="sm">
        {made && (
          <div>
            <Secret name={title} value={made.secret} />
            <Text size="sm" c="dimmed">
              {made.previousUntil ? t("The one before counts until {when}.", { when: exact(made.previousUntil) }) : t("The one before does not count any more.")}
            </Text>
          </div>
        )}
        <Text size="sm" c="dimmed">
          {text}
        </Text>
        {children}
      </Stack>
      <Rotation title={title} opened={opened} close={close} rotate={rotate} made={setMade} />
    </Section>
  );
}

interface RotationProps extends Pick<Props, "title" | "rotate"> {
  opened: boolean;
  close: () => void;
  made: (rotated: Rotated) => void;
}

function Rotation({ title, opened, close, rotate, made }: RotationProps) {
  const [overlap, setOverlap] = useState(OVERLAPS[0]!.value);
  const rotating = useMutation({
    mutationFn: () => rotate(Number(overlap)),
    onSuccess: (answer) => {
      made(answer);
      close();
    },
  });
  return (
    <Modal opened={opened} onClose={close} title={t("New {name}", { name: title })}>
      <Stack>
        {rotating.error && <Failed error={rotating.error} />}
        <Select label={t("How long the old one goes on counting")} data={OVERLAPS} allowDeselect={false} value={overlap} onChange={(value) => value && setOverlap(value)} />
        <Group justify="flex-end">
          <Button onClick={() => rotating.mutate()} loading={rotating.isPending} color={overlap === "0" ? "red" : undefined}>
            {t("Make it")}
          </Button>
        </Group>
      </Stack>
    </Modal>
  );
}

function RealtimeApp({ env }: { env: Env }) {
  const may = useMay("realtime:read");
  const { data } = useQuery({
    queryKey: ["project", "realtime", env],
    enabled: may,
    queryFn: ({ signal }) => answered(api.GET("/api/v1/realtime/app", { signal })),
  });
  if (!data) return null;
  return (
    <Facts
      facts={[
        [t("App id"), <Id key="id" value={data.appId} />],
        [t("Public key"), data.key ? <Id key="key" value={data.key} /> : t("none in use")],
      ]}
    />
  );
}
