import { Button, Group, Select, Stack, Text } from "@mantine/core";
import { useDebouncedValue, useDisclosure } from "@mantine/hooks";
import { useMutation, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Loaded } from "@/components/ui/Loaded";
import { Section } from "@/components/ui/Page";
import { tell, tellProblem } from "@/components/ui/told";
import { TypedConfirm } from "@/components/ui/TypedConfirm";
import { answered, api } from "@/lib/api";
import { queries } from "@/lib/queries";
import { reread } from "@/lib/session";
import { t } from "@/lib/t";
import { exact } from "@/lib/when";
import { useProject, type Project } from "./project";

/** What cannot be taken back, or only for a while. */
export function Ownership() {
  const project = useProject();
  return (
    <Loaded query={project}>
      {(found) =>
        found.status === "cancelled" ? (
          <Restore project={found} />
        ) : (
          <>
            <Transfer project={found} />
            <Cancel project={found} />
          </>
        )
      }
    </Loaded>
  );
}

async function again(): Promise<void> {
  await queries.invalidateQueries({ queryKey: ["project"] });
  await reread();
}

const SETTLE_MS = 250;

function Transfer({ project }: { project: Project }) {
  const [search, setSearch] = useState("");
  const [settled] = useDebouncedValue(search, SETTLE_MS);
  const [userId, setUserId] = useState<string | null>(null);
  const [opened, { open, close }] = useDisclosure();
  const people = usePeople(settled, project.ownerId);
  const handing = useMutation({
    mutationFn: () => answered(api.POST("/api/v1/projects/me/transfer", { body: { userId: userId! } })),
    onSuccess: async () => {
      close();
      tell(t("Handed over. You are an admin now."));
      await again();
    },
  });
  return (
    <Section title={t("Hand over")}>
      <Stack gap="sm" maw={620}>
        <Text size="sm" c="dimmed">
          {t("Somebody else becomes the owner, and whoever is it now an admin. Only the new owner can give it back.")}
        </Text>
        <Group align="flex-end">
          <Select
            label={t("To whom")}
            placeholder={t("Name or e-mail")}
            searchable
            searchValue={search}
            onSearchChange={setSearch}
            filter={({ options }) => options}
            nothingFoundMessage={t("Nobody active has that name.")}
            data={people}
            value={userId}
            onChange={setUserId}
            style={{ flex: "1 1 260px" }}
          />
          <Button variant="default" disabled={!userId} onClick={open}>
            {t("Hand over")}
          </Button>
        </Group>
      </Stack>
      <TypedConfirm
        opened={opened}
        close={close}
        title={t("Hand {name} over?", { name: project.name })}
        text={t("You lose what only an owner may do, this page among it.")}
        name={project.name}
        yes={t("Hand over")}
        act={() => handing.mutate()}
        acting={handing.isPending}
        error={handing.error}
      />
    </Section>
  );
}

function usePeople(search: string, ownerId: string | null): { value: string; label: string }[] {
  const { data } = useQuery({
    queryKey: ["users", "active", search],
    queryFn: ({ signal }) => answered(api.GET("/api/v1/users", { params: { query: { search: search || undefined, status: "active", limit: 20 } }, signal })),
    placeholderData: (before) => before,
  });
  const found = data?.items.filter(({ id }) => id !== ownerId) ?? [];
  return found.map(({ id, name, email }) => ({ value: id, label: [name, email].filter(Boolean).join(" · ") || id }));
}

function Cancel({ project }: { project: Project }) {
  const [opened, { open, close }] = useDisclosure();
  const cancelling = useMutation({
    mutationFn: () => answered(api.DELETE("/api/v1/projects/me")),
    onSuccess: async () => {
      close();
      await again();
    },
  });
  return (
    <Section title={t("Delete the project")}>
      <Stack gap="sm" maw={620}>
        <Text size="sm" c="dimmed">
          {t("It stops at once: nothing is taken in or sent any more. For 30 days it can be read, exported and taken back; then all of it is removed for good.")}
        </Text>
        <Group>
          <Button color="red" onClick={open}>
            {t("Delete the project")}
          </Button>
        </Group>
      </Stack>
      <TypedConfirm
        opened={opened}
        close={close}
        title={t("Delete {name}?", { name: project.name })}
        text={t("Events of your backend are refused from this moment on.")}
        name={project.name}
        yes={t("Delete it")}
        act={() => cancelling.mutate()}
        acting={cancelling.isPending}
        error={cancelling.error}
      />
    </Section>
  );
}

function Restore({ project }: { project: Project }) {
  const restoring = useMutation({
    mutationFn: () => answered(api.POST("/api/v1/projects/me/restore")),
    onSuccess: async () => {
      tell(t("It is back."));
      await again();
    },
    onError: tellProblem,
  });
  return (
    <Section title={t("Take it back")}>
      <Stack gap="sm" maw={620}>
        <Text size="sm" c="dimmed">
          {project.purgeAt ? t("Until {when} everything can be as it was.", { when: exact(project.purgeAt) }) : t("Everything can be as it was.")}
        </Text>
        <Group>
          <Button onClick={() => restoring.mutate()} loading={restoring.isPending}>
            {t("Restore the project")}
          </Button>
        </Group>
      </Stack>
    </Section>
  );
}
