import { Button, Group, Modal, Select, Stack, Text } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { t } from "@/lib/t";
import { exact } from "@/lib/when";
import { Section } from "./Page";
import { Secret } from "./Secret";
import { Failed } from "./States";

const OVERLAPS = [
  { value: "86400", label: t("a day") },
  { value: "3600", label: t("an hour") },
  { value: "604800", label: t("a week") },
  { value: "0", label: t("not at all: it leaked") },
];

interface Rotated {
  secret: string;
  previousUntil: string | null;
}

/** What the one before still does: it counts where others sign with it, and it signs where we do. */
const COUNTS = {
  question: t("How long the old one goes on counting"),
  until: (when: string) => t("The one before counts until {when}.", { when }),
  over: t("The one before does not count any more."),
};

interface Props {
  title: string;
  text: string;
  words?: typeof COUNTS;
  rotate: (overlapSeconds: number) => Promise<Rotated>;
  children?: React.ReactNode;
}

/** A secret that nobody can read again; it can be made anew, and is shown then, once. */
export function RotatedSecret({ title, text, words = COUNTS, rotate, children }: Props) {
  const [opened, { open, close }] = useDisclosure();
  const [made, setMade] = useState<Rotated | null>(null);
  return (
    <Section
      title={title}
      aside={
        <Button size="xs" variant="default" onClick={open} aria-label={t("New secret: {name}", { name: title })}>
          {t("New secret")}
        </Button>
      }
    >
      <Stack gap="sm">
        {made && (
          <div>
            <Secret name={title} value={made.secret} />
            <Text size="sm" c="dimmed">
              {made.previousUntil ? words.until(exact(made.previousUntil)) : words.over}
            </Text>
          </div>
        )}
        <Text size="sm" c="dimmed">
          {text}
        </Text>
        {children}
      </Stack>
      <Rotation title={title} question={words.question} opened={opened} close={close} rotate={rotate} made={setMade} />
    </Section>
  );
}

interface RotationProps extends Pick<Props, "title" | "rotate"> {
  question: string;
  opened: boolean;
  close: () => void;
  made: (rotated: Rotated) => void;
}

function Rotation({ title, question, opened, close, rotate, made }: RotationProps) {
  const [overlap, setOverlap] = useState(OVERLAPS[0]!.value);
  const rotating = useMutation({
    mutationFn: () => rotate(Number(overlap)),
    onSuccess: (answer) => {
      made(answer);
      close();
    },
  });
  return (
    <Modal opened={opened} onClose={close} title={t("{name}, anew", { name: title })}>
      <Stack>
        {rotating.error && <Failed error={rotating.error} />}
        <Select label={question} data={OVERLAPS} allowDeselect={false} value={overlap} onChange={(value) => value && setOverlap(value)} />
        <Group justify="flex-end">
          <Button onClick={() => rotating.mutate()} loading={rotating.isPending} color={overlap === "0" ? "red" : undefined}>
            {t("Make it")}
          </Button>
        </Group>
      </Stack>
    </Modal>
  );
}
