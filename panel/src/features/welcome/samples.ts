export interface Call {
  url: string;
  key: string;
  secret: string;
  type: string;
  payload: Record<string, unknown>;
}

interface Sample {
  language: string;
  text: string;
}

/** One call in three languages, with nothing to install: what is on every machine, or in the standard library. */
export function samples(call: Call): Sample[] {
  return [
    { language: "curl", text: curl(call) },
    { language: "Python", text: python(call) },
    { language: "TypeScript", text: typescript(call) },
  ];
}

function curl({ url, key, secret, type, payload }: Call): string {
  const body = JSON.stringify({ type, payload }).replaceAll("'", "'\\''");
  return [
    `curl ${url}/api/v1/events \\`,
    `  -H 'X-API-Key: ${key}' \\`,
    `  -H 'X-API-Secret: ${secret}' \\`,
    `  -H 'Content-Type: application/json' \\`,
    `  -d '${body}'`,
  ].join("\n");
}

function python({ url, key, secret, type, payload }: Call): string {
  return `import json
from urllib.request import Request, urlopen

event = json.loads(${JSON.stringify(JSON.stringify({ type, payload }))})
request = Request(
    "${url}/api/v1/events",
    data=json.dumps(event).encode(),
    headers={
        "X-API-Key": "${key}",
        "X-API-Secret": "${secret}",
        "Content-Type": "application/json",
    },
)
with urlopen(request) as answer:
    print(json.load(answer))`;
}

function typescript({ url, key, secret, type, payload }: Call): string {
  const body = JSON.stringify({ type, payload }, null, 2).replaceAll("\n", "\n  ");
  return `const answer = await fetch("${url}/api/v1/events", {
  method: "POST",
  headers: {
    "X-API-Key": "${key}",
    "X-API-Secret": "${secret}",
    "Content-Type": "application/json",
  },
  body: JSON.stringify(${body}),
});
console.log(await answer.json());`;
}
