import { useEffect, useState } from "react";

/** For a dialog that is there only while it is open: what had the focus before has it again when it is gone. */
export function useFocusBack(): void {
  const [before] = useState(() => document.activeElement);
  useEffect(
    () => () => {
      requestAnimationFrame(() => {
        if (before instanceof HTMLElement && document.activeElement === document.body) before.focus({ preventScroll: true });
      });
    },
    [before],
  );
}
