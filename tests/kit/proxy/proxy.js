// An HTTP proxy of others: node proxy.js <packages> <user:password or empty>. Tells its port, then one JSON a request:
// {"host", "port", "tunnel"}. It connects every name to loopback, as a proxy that alone knows the names would.
import { createRequire } from "node:module";

const [, , packages, login] = process.argv;
const { Server } = createRequire(`${packages}/`)("proxy-chain");
const tell = (fact) => process.stdout.write(`${JSON.stringify(fact)}\n`);
const toLoopback = (_host, options, found) =>
  options.all ? found(null, [{ address: "127.0.0.1", family: 4 }]) : found(null, "127.0.0.1", 4);

const server = new Server({
  host: "127.0.0.1",
  port: 0,
  prepareRequestFunction: ({ hostname, port, isHttp, username, password }) => {
    const welcome = !login || `${username}:${password}` === login;
    if (welcome) tell({ host: hostname, port, tunnel: !isHttp });
    return { requestAuthentication: !welcome, dnsLookup: toLoopback };
  },
});
await server.listen();
tell({ listening: server.port });
