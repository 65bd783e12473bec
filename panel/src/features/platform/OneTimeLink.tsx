import { Alert, Text } from "@mantine/core";
import { CodeBlock } from "@/components/ui/Code";
import { IconKey } from "@/components/ui/icons";
import { t } from "@/lib/t";

/** A link by which somebody chooses a password, to be passed on. */
export function OneTimeLink({ whose, url }: { whose: string; url: string }) {
  return (
    <Alert className="notice" color="yellow" icon={<IconKey aria-hidden />} title={t("A link for {whose}", { whose })} mb="md" radius="lg">
      <Text size="sm" mb="xs">
        {t("It sets the password, works once and for 24 hours, and is shown this once. Whoever has it is let in: pass it on to nobody else.")}
      </Text>
      <CodeBlock text={url} label={t("One-time link")} />
    </Alert>
  );
}
