export interface Schema {
  type: string | string[];
  properties?: Record<string, Schema>;
  required?: string[];
  items?: Schema;
}

/** A JSON Schema that all of these values fit: what each of them has is required, and nothing is forbidden. */
export function schemaOf(values: unknown[]): Schema {
  const kinds = [...new Set(values.map(kindOf))].sort();
  const objects = values.filter(isObject);
  const elements = values.filter((value) => Array.isArray(value)).flat();
  return {
    type: kinds.length === 1 ? kinds[0]! : kinds,
    ...(objects.length && membersOf(objects)),
    ...(elements.length && { items: schemaOf(elements) }),
  };
}

function membersOf(objects: Record<string, unknown>[]): Pick<Schema, "properties" | "required"> {
  const names = [...new Set(objects.flatMap((each) => Object.keys(each)))];
  const having = (name: string) => objects.filter((each) => Object.hasOwn(each, name));
  const required = names.filter((name) => having(name).length === objects.length);
  return {
    ...(required.length && { required }),
    properties: Object.fromEntries(names.map((name) => [name, schemaOf(having(name).map((each) => each[name]))])),
  };
}

function kindOf(value: unknown): string {
  if (value === null) return "null";
  return Array.isArray(value) ? "array" : typeof value;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return kindOf(value) === "object";
}
