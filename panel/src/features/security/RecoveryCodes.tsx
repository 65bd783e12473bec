import { Alert, Button, CopyButton, Group, Text } from "@mantine/core";
import { IconKey } from "@/components/ui/icons";
import { t } from "@/lib/t";

/** Shown this once; the page goes on when the person says that they are kept. */
export function RecoveryCodes({ codes, kept }: { codes: string[]; kept: () => void }) {
  const text = codes.join("\n");
  return (
    <Alert className="notice" color="yellow" icon={<IconKey aria-hidden />} title={t("Your recovery codes")} radius="lg">
      <Text size="sm" mb="sm">
        {t("Each lets you in once when your phone is gone. They are shown this once: print them, or keep them where you keep passwords.")}
      </Text>
      <ul className="codes" aria-label={t("Recovery codes")}>
        {codes.map((code) => (
          <li key={code}>{code}</li>
        ))}
      </ul>
      <Group gap="xs" mt="md">
        <CopyButton value={text}>
          {({ copied, copy }) => (
            <Button size="xs" variant="default" onClick={copy}>
              {copied ? t("Copied") : t("Copy all")}
            </Button>
          )}
        </CopyButton>
        <Button size="xs" variant="default" component="a" href={`data:text/plain;charset=utf-8,${encodeURIComponent(text)}`} download="recovery-codes.txt">
          {t("Download")}
        </Button>
        <Button size="xs" onClick={kept}>
          {t("I have kept them")}
        </Button>
      </Group>
    </Alert>
  );
}
