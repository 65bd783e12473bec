// A certified OpenID provider with its own login page: node provider.js <packages> <people as JSON>.
// Anybody may register a client. Who signs in as "ann" is told of as people["ann"] says; claims other than sub are
// given at the userinfo endpoint alone, as the specification has it. Writes its issuer on stdout when it listens.
import { createServer } from "node:http";
import { pathToFileURL } from "node:url";

const [, , packages, peopleAsJson] = process.argv;
const { default: Provider } = await import(pathToFileURL(`${packages}/node_modules/oidc-provider/lib/index.js`));
const people = JSON.parse(peopleAsJson);

const server = createServer();
server.listen(0, "127.0.0.1", () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuer, {
    claims: { email: ["email", "email_verified"], profile: ["name"] },
    cookies: { keys: ["only for tests"] },
    features: { devInteractions: { enabled: true }, registration: { enabled: true } },
    findAccount: (_context, id) => ({ accountId: id, claims: () => ({ sub: id, ...people[id] }) }),
    pkce: { required: () => true },
  });
  server.on("request", provider.callback());
  process.stdout.write(`${issuer}\n`);
});
