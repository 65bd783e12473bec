import { Button, Group, Modal, MultiSelect, Stack, TextInput } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useMutation, useQuery } from "@tanstack/react-query";
import { Failed } from "@/components/ui/States";
import { answered, api, type Schemas } from "@/lib/api";
import { env, useEnv } from "@/lib/env";
import { queries } from "@/lib/queries";
import { t } from "@/lib/t";

type Permission = Schemas["KeyCreate"]["permissions"][number];

interface Props {
  opened: boolean;
  close: () => void;
  made: (key: { name: string; secret: string }) => void;
}

const SENDS: Permission[] = ["events:write"];

export function NewKey({ opened, close, made }: Props) {
  const { env: shown } = useEnv();
  const form = useForm({ initialValues: { name: "", permissions: SENDS } });
  const { data } = useQuery({
    queryKey: ["permissions"],
    enabled: opened,
    queryFn: ({ signal }) => answered(api.GET("/api/v1/permissions", { signal })),
  });
  const making = useMutation({
    mutationFn: (body: typeof form.values) => answered(api.POST("/api/v1/projects/me/api-keys", { body: { ...body, env: env() } })),
    onSuccess: async ({ name, secret }) => {
      await queries.invalidateQueries({ queryKey: ["keys"] });
      made({ name, secret });
      form.reset();
      close();
    },
  });
  return (
    <Modal opened={opened} onClose={close} title={shown === "live" ? t("New live key") : t("New test key")}>
      <form onSubmit={form.onSubmit((values) => making.mutate(values))}>
        <Stack>
          {making.error && <Failed error={making.error} />}
          <TextInput label={t("Name")} placeholder={t("Shop backend")} required data-autofocus {...form.getInputProps("name")} />
          <MultiSelect
            label={t("May")}
            description={t("As little as it needs.")}
            searchable
            data={(data ?? []).map(({ name }) => name)}
            renderOption={({ option }) => (
              <div>
                <div>{option.value}</div>
                <div className="dimmed" style={{ fontSize: 12 }}>
                  {data?.find(({ name }) => name === option.value)?.description}
                </div>
              </div>
            )}
            {...form.getInputProps("permissions")}
          />
          <Group justify="flex-end">
            <Button type="submit" loading={making.isPending}>
              {t("Make it")}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
