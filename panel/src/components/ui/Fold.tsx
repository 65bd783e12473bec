import { Title, UnstyledButton } from "@mantine/core";
import { useEffect, useId, useState, type ReactNode } from "react";
import { IconChevronRight } from "./icons";

interface Props {
  title: string;
  /** What it says, in a line, while it is closed. */
  summary: string;
  /** Whether it begins open. */
  opened: boolean;
  /** Something in it was refused, so it opens. */
  wrong?: boolean;
  children: ReactNode;
}

/** A framed part of a page that opens. */
export function Fold({ title, summary, opened, wrong = false, children }: Props) {
  const [open, setOpen] = useState(opened);
  const id = useId();
  useEffect(() => {
    if (wrong) setOpen(true);
  }, [wrong]);
  return (
    <section className="section fold" data-open={open || undefined}>
      <div className="fold-head">
        <IconChevronRight size={16} aria-hidden />
        <Title order={2} size="h5">
          <UnstyledButton className="fold-button" aria-expanded={open} aria-describedby={id} onClick={() => setOpen(!open)}>
            {title}
          </UnstyledButton>
        </Title>
        <span className="fold-summary" id={id}>
          {open ? "" : summary}
        </span>
      </div>
      {open && <div className="section-body">{children}</div>}
    </section>
  );
}
