import { ActionIcon, CopyButton, Tooltip } from "@mantine/core";
import { t } from "@/lib/t";
import { IconCheck, IconCopy } from "./icons";

export function Copy({ value, label }: { value: string; label?: string }) {
  return (
    <CopyButton value={value}>
      {({ copied, copy }) => (
        <Tooltip label={copied ? t("Copied") : (label ?? t("Copy"))}>
          <ActionIcon variant="subtle" color="gray" size="sm" onClick={copy} aria-label={label ?? t("Copy")}>
            {copied ? <IconCheck size={15} /> : <IconCopy size={15} />}
          </ActionIcon>
        </Tooltip>
      )}
    </CopyButton>
  );
}

/** Text to be taken away whole. */
export function CodeBlock({ text, label }: { text: string; label?: string }) {
  return (
    <div className="code-block">
      <pre tabIndex={0} aria-label={label ?? t("Code")}>
        <code>{text}</code>
      </pre>
      <div className="code-copy">
        <Copy value={text} />
      </div>
    </div>
  );
}

export function Json({ value, label }: { value: unknown; label?: string }) {
  return <CodeBlock text={JSON.stringify(value, null, 2)} label={label} />;
}

/** An id or a key on one line, to be copied. */
export function Id({ value }: { value: string }) {
  return (
    <span className="id">
      <code>{value}</code>
      <Copy value={value} />
    </span>
  );
}
