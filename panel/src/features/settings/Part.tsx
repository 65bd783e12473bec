import { Button, Group, Stack, Text } from "@mantine/core";
import { useForm, type UseFormReturnType } from "@mantine/form";
import { useMutation } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { Section } from "@/components/ui/Page";
import { Failed } from "@/components/ui/States";
import { tell } from "@/components/ui/told";
import { asProblem } from "@/lib/problem";
import { queries } from "@/lib/queries";
import { useMay } from "@/lib/session";
import { t } from "@/lib/t";
import { atFields } from "./project";

interface Props<T> {
  title: string;
  lead?: ReactNode;
  initial: T;
  save: (values: T) => Promise<unknown>;
  /** May this be sent as it is, though nothing was changed? For what is not there yet. */
  fresh?: boolean;
  verb?: string;
  actions?: ReactNode;
  children: (form: UseFormReturnType<T>) => ReactNode;
}

/** A part of the settings that is saved by itself. Whoever may not change it can read it. */
export function Part<T extends Record<string, unknown>>({ title, lead, initial, save, fresh = false, verb, actions, children }: Props<T>) {
  const may = useMay("project:manage");
  const form = useForm<T>({ initialValues: initial });
  const saving = useMutation({
    mutationFn: save,
    onSuccess: async (_, values) => {
      tell(t("Saved."));
      form.resetDirty(values);
      await queries.invalidateQueries({ queryKey: ["project"] });
    },
    onError: (error) => form.setErrors(atFields(asProblem(error), Object.keys(initial))),
  });
  return (
    <Section title={title}>
      <form onSubmit={form.onSubmit((values) => saving.mutate(values))} aria-label={title}>
        <fieldset disabled={!may} className="plain legible">
          <Stack maw={620}>
            {lead && (
              <Text size="sm" c="dimmed" component="div">
                {lead}
              </Text>
            )}
            {saving.error && <Failed error={saving.error} />}
            {children(form)}
            {may && (
              <Group>
                <Button type="submit" loading={saving.isPending} disabled={!fresh && !form.isDirty()}>
                  {verb ?? t("Save")}
                </Button>
                {actions}
              </Group>
            )}
          </Stack>
        </fieldset>
      </form>
    </Section>
  );
}
