import { Button } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { useMutation } from "@tanstack/react-query";
import { tell, tellProblem } from "@/components/ui/told";
import { t } from "@/lib/t";
import { ReasonModal } from "./ReasonModal";

interface SuspendProps {
  name: string;
  text: string;
  /** Who reads the reason. */
  read: string;
  suspend: (reason: string) => Promise<unknown>;
}

/** Halts something of a project, which reads why. */
export function SuspendButton({ name, text, read, suspend }: SuspendProps) {
  const [opened, { open, close }] = useDisclosure();
  return (
    <>
      <Button variant="default" onClick={open}>
        {t("Suspend")}
      </Button>
      <ReasonModal opened={opened} close={close} title={t("Suspend {name}?", { name })} text={text} read={read} yes={t("Suspend")} act={suspend} />
    </>
  );
}

interface ActivateProps {
  label?: string;
  /** What is said when it is done. */
  done: string;
  activate: () => Promise<unknown>;
  again: () => Promise<unknown>;
}

export function ActivateButton({ label = t("Activate"), done, activate, again }: ActivateProps) {
  const activating = useMutation({
    mutationFn: activate,
    onSuccess: () => tell(done),
    onSettled: again,
    onError: tellProblem,
  });
  return (
    <Button onClick={() => activating.mutate()} loading={activating.isPending}>
      {label}
    </Button>
  );
}
