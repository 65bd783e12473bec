import { Button, FileButton, Group, Stack, Text, Textarea } from "@mantine/core";
import { useState, type DragEvent } from "react";
import { IconUpload } from "@/components/ui/icons";
import { Section } from "@/components/ui/Page";
import { Failed } from "@/components/ui/States";
import { t } from "@/lib/t";
import { read, textOf, type Sheet } from "./table";

const EXAMPLE = "id,email,name,roles\nc-17,ada@example.com,Ada Lovelace,agent";

/** A file that is dropped or chosen, or text that is pasted. */
export function Source({ take }: { take: (sheet: Sheet) => void }) {
  const [text, setText] = useState("");
  const [over, setOver] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const begin = (found: string) => {
    try {
      take(read(found));
    } catch (mistake) {
      setError(mistake);
    }
  };
  const open = (file: File | null | undefined) => {
    if (file) textOf(file).then(begin, setError);
  };
  const drop = (event: DragEvent) => {
    event.preventDefault();
    setOver(false);
    open(event.dataTransfer.files[0]);
  };
  return (
    <Section>
      <Stack>
        {Boolean(error) && <Failed error={error} />}
        <div
          className="drop"
          data-over={over || undefined}
          onDrop={drop}
          onDragOver={(event) => {
            event.preventDefault();
            setOver(true);
          }}
          onDragLeave={() => setOver(false)}
        >
          <IconUpload size={26} stroke={1.6} aria-hidden />
          <Text size="sm">{t("Drop a CSV or JSON file here")}</Text>
          <FileButton onChange={open} accept=".csv,.tsv,.txt,.json,.jsonl,text/csv,application/json" inputProps={{ "aria-label": t("File") }}>
            {(props) => (
              <Button {...props} variant="default" size="xs">
                {t("Choose a file")}
              </Button>
            )}
          </FileButton>
        </div>
        <form
          onSubmit={(event) => {
            event.preventDefault();
            begin(text);
          }}
        >
          <Stack gap="sm">
            <Textarea label={t("Or paste it")} description={t("The first line names the columns. It stays on this machine until you begin.")} placeholder={EXAMPLE} autosize minRows={5} maxRows={14} spellCheck={false} classNames={{ input: "mono" }} value={text} onChange={({ currentTarget }) => setText(currentTarget.value)} />
            <Group>
              <Button type="submit" disabled={!text.trim()}>
                {t("Look at it")}
              </Button>
            </Group>
          </Stack>
        </form>
      </Stack>
    </Section>
  );
}
