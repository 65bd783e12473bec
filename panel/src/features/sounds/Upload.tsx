import { Button, Group, Modal, Stack, Text, TextInput } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { useEffect, useMemo, useState } from "react";
import { Failed } from "@/components/ui/States";
import { tell } from "@/components/ui/told";
import { useFocusBack } from "@/components/ui/useFocusBack";
import { answered, api, type Schemas } from "@/lib/api";
import { asProblem, Problem } from "@/lib/problem";
import { queries } from "@/lib/queries";
import { t } from "@/lib/t";
import { stop } from "./play";
import { PlayButton } from "./PlayButton";
import { MOST_BYTES, nameOf, size } from "./file";

/** What a file is to be called, and what is wrong with it. */
export function Upload({ file, close }: { file: File; close: () => void }) {
  useFocusBack();
  const [name, setName] = useState(() => nameOf(file.name));
  const url = useMemo(() => URL.createObjectURL(file), [file]);
  useEffect(() => () => {
    stop();
    URL.revokeObjectURL(url);
  }, [url]);
  const sending = useMutation({
    mutationFn: () => {
      if (file.size > MOST_BYTES) throw new Problem(413, "sound_too_large", t("A sound may have 5 MiB at most; this file has {size}.", { size: size(file.size) }));
      const form = new FormData();
      form.append("name", name);
      form.append("file", file);
      return answered(api.POST("/api/v1/sounds", { body: { name, file: "" } satisfies Schemas["SoundUpload"], bodySerializer: () => form }));
    },
    onSuccess: async (made) => {
      await queries.invalidateQueries({ queryKey: ["sounds"] });
      tell(t("{name} can be named by rules now.", { name: made.name }));
      close();
    },
  });
  const problem = sending.error ? asProblem(sending.error) : null;
  const atName = problem?.byField.name ?? (problem?.code === "sound_exists" ? problem.message : undefined);
  return (
    <Modal opened onClose={close} title={t("Upload a sound")}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          sending.mutate();
        }}
      >
        <Stack>
          <Group gap="sm" wrap="nowrap" className="file-card">
            <PlayButton name={file.name} url={url} />
            <div style={{ minWidth: 0 }}>
              <Text size="sm" fw={550} truncate>
                {file.name}
              </Text>
              <Text size="xs" c="dimmed">
                {size(file.size)}
              </Text>
            </div>
          </Group>
          <TextInput
            label={t("Name")}
            description={t("As rules name it: small letters, digits and _. With the name of a built-in sound, yours is heard in its place.")}
            required
            data-autofocus
            value={name}
            error={atName}
            onChange={({ currentTarget }) => setName(currentTarget.value)}
          />
          {problem && !atName && <Failed error={problem.errors[0] ? new Problem(problem.status, problem.code, problem.errors[0].detail, problem.requestId) : problem} />}
          <Group justify="space-between">
            <Text size="xs" c="dimmed">
              {t("At most 30 seconds and 5 MiB.")}
            </Text>
            <Button type="submit" loading={sending.isPending}>
              {t("Upload")}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
