import { Button, Group, Modal, Stack, Text, TextInput } from "@mantine/core";
import { useState } from "react";
import { t } from "@/lib/t";
import { Failed } from "./States";

interface Props {
  opened: boolean;
  close: () => void;
  title: string;
  text: string;
  /** What has to be typed, letter by letter, before the button works. */
  name: string;
  yes: string;
  act: () => void;
  acting: boolean;
  error: unknown;
}

/** For what nobody may do by a slip of the hand. */
export function TypedConfirm({ opened, close, title, text, name, yes, act, acting, error }: Props) {
  const [typed, setTyped] = useState("");
  const gone = () => {
    setTyped("");
    close();
  };
  return (
    <Modal opened={opened} onClose={gone} title={title}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          act();
        }}
      >
        <Stack>
          <Text size="sm">{text}</Text>
          {Boolean(error) && <Failed error={error} />}
          <TextInput label={t("Type “{name}” to confirm", { name })} autoComplete="off" data-autofocus value={typed} onChange={({ currentTarget }) => setTyped(currentTarget.value)} />
          <Group justify="flex-end">
            <Button variant="default" onClick={gone}>
              {t("Cancel")}
            </Button>
            <Button type="submit" color="red" disabled={typed !== name} loading={acting}>
              {yes}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
