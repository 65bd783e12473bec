import { useEffect, useState } from "react";
import { IconUpload } from "@/components/ui/icons";
import { t } from "@/lib/t";

/** Takes the first file that is dropped anywhere on the page, and says so while one is above it. */
export function Dropped({ take }: { take: (file: File) => void }) {
  const [above, setAbove] = useState(false);
  useEffect(() => {
    const over = (event: DragEvent) => {
      if (!event.dataTransfer?.types.includes("Files")) return;
      event.preventDefault();
      setAbove(true);
    };
    const left = (event: DragEvent) => event.relatedTarget === null && setAbove(false);
    const drop = (event: DragEvent) => {
      const file = event.dataTransfer?.files[0];
      setAbove(false);
      if (!file) return;
      event.preventDefault();
      take(file);
    };
    const listeners = [["dragover", over], ["dragleave", left], ["drop", drop]] as const;
    for (const [kind, listener] of listeners) addEventListener(kind, listener);
    return () => {
      for (const [kind, listener] of listeners) removeEventListener(kind, listener);
    };
  }, [take]);
  if (!above) return null;
  return (
    <div className="drop-here">
      <IconUpload size={28} aria-hidden />
      {t("Drop it to upload it")}
    </div>
  );
}
