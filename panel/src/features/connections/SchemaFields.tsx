import { MultiSelect, NumberInput, PasswordInput, Select, Stack, Switch, Textarea, TextInput } from "@mantine/core";
import { t } from "@/lib/t";
import { isSecret, written, type FieldSchema, type ObjectSchema, type Values } from "./schema";

interface Props {
  schema: ObjectSchema;
  values: Values;
  change: (values: Values) => void;
  errors: Record<string, string>;
  /** Under which name errors point at these fields: `/settings/url`. */
  prefix: string;
  optional?: boolean;
}

/** Fields for whatever a provider describes and people set; no provider is known by name here. */
export function SchemaFields({ schema, values, change, errors, prefix, optional }: Props) {
  return (
    <Stack gap="sm">
      {written(schema).map(([name, field]) => (
        <OneField
          key={name}
          name={name}
          field={field}
          value={values[name]}
          change={(value) => change({ ...values, [name]: value })}
          error={errors[`${prefix}.${name}`]}
          required={!optional && (schema.required?.includes(name) ?? false)}
        />
      ))}
    </Stack>
  );
}

interface OneProps {
  name: string;
  field: FieldSchema;
  value: unknown;
  change: (value: unknown) => void;
  error: string | undefined;
  required: boolean;
}

const LONG = /json|key|pem/i;

function OneField({ name, field, value, change, error, required }: OneProps) {
  const common = { label: field.title ?? name, description: field.description, error, withAsterisk: required };
  const text = typeof value === "string" ? value : "";
  if (field.enum) {
    return <Select {...common} data={field.enum} value={text || null} onChange={change} allowDeselect={!required} />;
  }
  if (field.type === "array" && field.items?.enum) {
    return <MultiSelect {...common} data={field.items.enum} value={(value as string[] | undefined) ?? []} onChange={change} />;
  }
  if (field.type === "boolean") {
    return <Switch label={common.label} description={common.description} checked={value === true} onChange={({ currentTarget: { checked } }) => change(checked)} />;
  }
  if (field.type === "integer" || field.type === "number") {
    return <NumberInput {...common} min={field.minimum} max={field.maximum} value={value as number} onChange={(number) => change(number === "" ? null : number)} />;
  }
  if (isSecret(field) && LONG.test(name)) {
    return <Textarea {...common} autosize minRows={3} maxRows={8} spellCheck={false} value={text} onChange={({ currentTarget }) => change(currentTarget.value)} />;
  }
  if (isSecret(field)) {
    return <PasswordInput {...common} autoComplete="off" visibilityToggleButtonProps={{ "aria-label": t("Show it") }} value={text} onChange={({ currentTarget }) => change(currentTarget.value)} />;
  }
  return <TextInput {...common} type={field.format === "uri" ? "url" : field.format === "email" ? "email" : "text"} value={text} onChange={({ currentTarget }) => change(currentTarget.value)} />;
}
