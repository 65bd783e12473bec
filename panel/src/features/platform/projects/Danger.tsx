import { Button, Group, Modal, Stack, Text, TextInput } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { Section } from "@/components/ui/Page";
import { Failed } from "@/components/ui/States";
import { saveAs } from "@/lib/save";
import { tellProblem } from "@/components/ui/told";
import { answered, api, type Schemas } from "@/lib/api";
import { useMay } from "@/lib/session";
import { t } from "@/lib/t";
import { ActivateButton, SuspendButton } from "../Halting";
import { again } from "./change";

type Project = Schemas["PlatformProject"];

const path = (id: string) => ({ params: { path: { project_id: id } } });

/** What halts a project, takes it away or copies all of it. */
export function Danger({ project }: { project: Project }) {
  const may = useMay("platform:projects");
  if (!may) return null;
  const halted = project.status === "suspended" || project.status === "cancelled";
  return (
    <Section title={t("Whole project")}>
      <Group>
        {halted ? <Activate project={project} /> : <Suspend project={project} />}
        <Export project={project} />
        {project.status !== "cancelled" && <Cancel project={project} />}
      </Group>
    </Section>
  );
}

function Suspend({ project }: { project: Project }) {
  return (
    <SuspendButton
      name={project.name}
      text={t("Within a second it can only read. Nothing is lost: what it was sent waits, and goes out after activation.")}
      read={t("The project reads it.")}
      suspend={async (reason) => {
        await answered(api.POST("/api/v1/platform/projects/{project_id}/suspend", { ...path(project.id), body: { reason } }));
        await again();
      }}
    />
  );
}

function Activate({ project }: { project: Project }) {
  return (
    <ActivateButton
      label={project.status === "cancelled" ? t("Restore") : undefined}
      done={t("It works again; what waited goes out.")}
      activate={() => answered(api.POST("/api/v1/platform/projects/{project_id}/activate", path(project.id)))}
      again={again}
    />
  );
}

/** Everything of it as one file. It is on the record of both sides. */
function Export({ project }: { project: Project }) {
  const exporting = useMutation({
    mutationFn: async () => {
      const rows = await answered(api.GET("/api/v1/platform/projects/{project_id}/export", { ...path(project.id), parseAs: "blob" }));
      saveAs(rows as unknown as Blob, `${project.slug}.jsonl`);
    },
    onError: tellProblem,
  });
  return (
    <Button variant="default" onClick={() => exporting.mutate()} loading={exporting.isPending}>
      {t("Export")}
    </Button>
  );
}

function Cancel({ project }: { project: Project }) {
  const [opened, { open, close }] = useDisclosure();
  const [typed, setTyped] = useState("");
  const cancelling = useMutation({
    mutationFn: () => answered(api.DELETE("/api/v1/platform/projects/{project_id}", path(project.id))),
    onSuccess: async () => {
      close();
      await again();
    },
  });
  return (
    <>
      <Button variant="default" c="var(--mantine-color-error)" onClick={open}>
        {t("Delete")}
      </Button>
      <Modal opened={opened} onClose={close} title={t("Delete {name}?", { name: project.name })}>
        <form
          onSubmit={(event) => {
            event.preventDefault();
            cancelling.mutate();
          }}
        >
          <Stack>
            <Text size="sm">{t("Read-only at once, and sends nothing. It can be restored for 30 days; then everything of it is removed for good.")}</Text>
            {cancelling.error && <Failed error={cancelling.error} />}
            <TextInput label={t("Type {slug} to be sure", { slug: project.slug })} value={typed} onChange={({ currentTarget }) => setTyped(currentTarget.value)} data-autofocus autoComplete="off" />
            <Group justify="flex-end">
              <Button type="submit" color="red" disabled={typed.trim() !== project.slug} loading={cancelling.isPending}>
                {t("Delete")}
              </Button>
            </Group>
          </Stack>
        </form>
      </Modal>
    </>
  );
}
