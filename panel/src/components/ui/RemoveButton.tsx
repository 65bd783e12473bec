import { Button } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { useNavigate } from "react-router";
import { queries } from "@/lib/queries";
import { t } from "@/lib/t";
import { confirm } from "./confirm";
import { tellProblem } from "./told";

interface Props {
  title: string;
  text: string;
  remove: () => Promise<unknown>;
  /** The list that it is gone from, by address and by the first word of its queries. */
  list: string;
  name: string;
  label?: string;
}

/** Deletes what the page shows, after a question, and goes to the list. */
export function RemoveButton({ title, text, remove, list, name, label = t("Delete") }: Props) {
  const go = useNavigate();
  const removing = useMutation({
    mutationFn: remove,
    onSuccess: async () => {
      // The list asks when it comes; the page that stays until then asks no more for what is gone.
      await queries.invalidateQueries({ queryKey: [name], refetchType: "none" });
      await go(list);
    },
    onError: tellProblem,
  });
  const ask = () => confirm({ title, text, yes: label, act: () => removing.mutate() });
  return (
    <Button variant="default" onClick={ask} loading={removing.isPending}>
      {label}
    </Button>
  );
}
