/** The part of JSON Schema that providers use for their settings and credentials. */
export interface FieldSchema {
  title?: string;
  description?: string;
  type?: string;
  format?: string;
  enum?: string[];
  default?: unknown;
  minimum?: number;
  maximum?: number;
  writeOnly?: boolean;
  readOnly?: boolean;
  items?: { enum?: string[]; type?: string };
  anyOf?: FieldSchema[];
}

export interface ObjectSchema {
  description?: string;
  properties?: Record<string, FieldSchema>;
  required?: string[];
}

export type Values = Record<string, unknown>;

/** A field that may be null is one that may be left empty. */
export function flattened(field: FieldSchema): FieldSchema {
  const real = field.anyOf?.find((each) => each.type !== "null");
  return real ? { ...real, ...field } : field;
}

/** The fields that people fill in; the others are for reading alone. */
export function written(schema: ObjectSchema): [string, FieldSchema][] {
  const fields = Object.entries(schema.properties ?? {}).map(([name, field]): [string, FieldSchema] => [name, flattened(field)]);
  return fields.filter(([, field]) => !field.readOnly);
}

export function isSecret(field: FieldSchema): boolean {
  return field.writeOnly === true || field.format === "password";
}

export function defaults(schema: ObjectSchema): Values {
  return Object.fromEntries(
    Object.entries(schema.properties ?? {})
      .filter(([, field]) => field.default !== undefined && field.default !== null)
      .map(([name, field]) => [name, field.default]),
  );
}

/** What is sent: nothing for what was left empty, so that the provider's own default holds. */
export function filled(values: Values): Values {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== "" && value !== null && value !== undefined));
}

export interface Shown {
  name: string;
  isDefault: boolean;
  useAsFallback: boolean;
  settings: Values;
  credentials: Values;
}

/** What is sent of a connection after somebody was shown it. Settings are replaced as a whole. */
export function changesOf(shown: Shown, now: Shown): Partial<Shown> {
  const credentials = altered(shown.credentials, now.credentials);
  return {
    ...(now.name !== shown.name && { name: now.name }),
    ...(now.isDefault !== shown.isDefault && { isDefault: now.isDefault }),
    ...(now.useAsFallback !== shown.useAsFallback && { useAsFallback: now.useAsFallback }),
    ...(Object.keys(altered(shown.settings, now.settings)).length > 0 && { settings: filled(now.settings) }),
    ...(Object.keys(credentials).length > 0 && { credentials }),
  };
}

/** What is sent of secrets that were shown masked: what reads otherwise now, and null for what was emptied. */
export function altered(shown: Values, now: Values): Values {
  const changed = Object.entries(now).filter(([name, value]) => (value ?? "") !== (shown[name] ?? ""));
  return Object.fromEntries(changed.map(([name, value]) => [name, value === "" ? null : value]));
}
