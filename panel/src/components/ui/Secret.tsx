import { Alert, Text } from "@mantine/core";
import { t } from "@/lib/t";
import { CodeBlock } from "./Code";
import { IconKey } from "./icons";

/** Something that is shown this once. */
export function Secret({ name, value }: { name: string; value: string }) {
  return (
    <Alert className="notice" color="yellow" icon={<IconKey aria-hidden />} title={name} mb="md" radius="lg">
      <Text size="sm" mb="xs">
        {t("It is shown this once. Keep it where your backend finds it, and nowhere else.")}
      </Text>
      <CodeBlock text={value} label={name} />
    </Alert>
  );
}
