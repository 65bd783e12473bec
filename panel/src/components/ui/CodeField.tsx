import { Input, Skeleton } from "@mantine/core";
import { lazy, Suspense, useId } from "react";
import type { CodeEditorProps } from "./CodeEditor";

const CodeEditor = lazy(() => import("./CodeEditor"));

interface Props extends Pick<CodeEditorProps, "value" | "change" | "language" | "readOnly"> {
  label: string;
  description?: string;
  error?: string | null;
  required?: boolean;
  /** About how many pixels high it is while it is fetched. */
  height?: number;
}

/** A code editor with the label, the hint and the error of a field. */
export function CodeField({ label, description, error, required, height = 80, ...editor }: Props) {
  const id = useId();
  const hint = description ? `${id}-hint` : undefined;
  const wrong = error ? `${id}-error` : undefined;
  return (
    <div>
      <Input.Label id={`${id}-label`} labelElement="div" required={required}>
        {label}
      </Input.Label>
      {description && (
        <Input.Description id={hint} mb={6}>
          {description}
        </Input.Description>
      )}
      <div data-wrong={error ? true : undefined} className="code-field">
        <Suspense fallback={<Skeleton height={height} radius="md" />}>
          <CodeEditor {...editor} labelledBy={`${id}-label`} describedBy={wrong ?? hint} />
        </Suspense>
      </div>
      {error && (
        <Input.Error id={wrong} mt={6}>
          {error}
        </Input.Error>
      )}
    </div>
  );
}
