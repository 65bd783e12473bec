import { Button, Group, Modal, Stack, Text, Textarea } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useMutation } from "@tanstack/react-query";
import { Failed } from "@/components/ui/States";
import { asProblem } from "@/lib/problem";
import { t } from "@/lib/t";

interface Props {
  opened: boolean;
  close: () => void;
  title: string;
  text: string;
  /** What the one who is asked reads under the field. */
  read: string;
  yes: string;
  act: (reason: string) => Promise<unknown>;
}

/** Asks why, and does it with the answer. */
export function ReasonModal({ opened, close, title, text, read, yes, act }: Props) {
  const form = useForm({ initialValues: { reason: "" } });
  const doing = useMutation({
    mutationFn: ({ reason }: typeof form.values) => act(reason),
    onSuccess: () => {
      form.reset();
      close();
    },
    onError: (error) => form.setErrors(asProblem(error).byField),
  });
  return (
    <Modal opened={opened} onClose={close} title={title}>
      <form onSubmit={form.onSubmit((values) => doing.mutate(values))}>
        <Stack>
          <Text size="sm">{text}</Text>
          {doing.error && asProblem(doing.error).errors.length === 0 && <Failed error={doing.error} />}
          <Textarea label={t("Reason")} description={read} required autosize minRows={2} maxLength={500} data-autofocus {...form.getInputProps("reason")} />
          <Group justify="flex-end">
            <Button type="submit" color="red" loading={doing.isPending}>
              {yes}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
