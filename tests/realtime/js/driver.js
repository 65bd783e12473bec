// Drives the official client by commands on stdin and tells everything it notices on stdout, one JSON per line.
// {"do": "connect", "client": "a", ...} makes a client; other commands name one. Authorization is asked for with
// {"ask": n, ...} and answered by {"do": "answer", "ask": n, "body": {...}} or with "error".
import { createInterface } from "node:readline";
import { createRequire } from "node:module";

const Pusher = createRequire(`${process.argv[2]}/`)("pusher-js");
const clients = new Map();
const asked = new Map();
let asks = 0;

const tell = (fact) => process.stdout.write(JSON.stringify({ at: Date.now(), ...fact }) + "\n");

const ask = (client, kind) => (params, callback) => {
  const number = ++asks;
  asked.set(number, callback);
  tell({ client, ask: number, kind, socketId: params.socketId, channel: params.channelName });
};

const listen = (client, channel, events) => {
  channel.bind_global((event, data) => {
    if (event === "pusher:subscription_succeeded" && data && data.members) {
      tell({ client, channel: channel.name, event, members: data.members, count: data.count });
    } else {
      tell({ client, channel: channel.name, event, data });
    }
  });
  for (const event of events) {
    channel.bind(event, (data, metadata) => tell({ client, channel: channel.name, bound: event, metadata }));
  }
};

const commands = {
  connect({ client, key, port, options }) {
    const pusher = new Pusher(key, {
      cluster: "", wsHost: "127.0.0.1", wsPort: port, forceTLS: false, enabledTransports: ["ws"],
      disableStats: true,
      channelAuthorization: { customHandler: ask(client, "channel") },
      userAuthentication: { customHandler: ask(client, "user") },
      ...options,
    });
    clients.set(client, pusher);
    pusher.connection.bind("state_change", ({ current }) =>
      tell({ client, state: current, socketId: pusher.connection.socket_id }));
    pusher.connection.bind("error", (error) => tell({ client, error: true, code: (error.data ?? error.error?.data)?.code }));
    pusher.connection.bind("message", ({ event }) => tell({ client, message: event }));
    pusher.bind("pusher:signin_success", (data) => tell({ client, signedIn: data }));
    pusher.user.bind_global((event, data) => tell({ client, userEvent: event, data }));
  },
  subscribe({ client, channel, events }) {
    listen(client, clients.get(client).subscribe(channel), events ?? []);
  },
  unsubscribe({ client, channel }) {
    clients.get(client).unsubscribe(channel);
  },
  trigger({ client, channel, event, data }) {
    clients.get(client).channel(channel).trigger(event, data);
  },
  raw({ client, event, data, channel }) {
    clients.get(client).send_event(event, data, channel);
  },
  signin({ client }) {
    clients.get(client).signin();
  },
  members({ client, channel }) {
    const { count, members, me } = clients.get(client).channel(channel).members;
    tell({ client, channel, asked: "members", count, members, me });
  },
  disconnect({ client }) {
    clients.get(client).disconnect();
  },
  answer({ ask: number, body, error }) {
    asked.get(number)(error ? new Error(error) : null, body ?? null);
    asked.delete(number);
  },
};

createInterface({ input: process.stdin })
  .on("line", (line) => {
    const command = JSON.parse(line);
    commands[command.do](command);
  })
  .on("close", () => process.exit(0));
