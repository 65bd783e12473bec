// The official client, listening for notifications. Told on stdin (one JSON line): {"packages", "port", "key", "token",
// "channel"}. Says {"listening": true}, takes [title, milliseconds since 1970] of every notification that arrives,
// and prints them all when stdin ends.
import { createInterface } from "node:readline";
import { createRequire } from "node:module";

const arrived = [];
const now = () => performance.timeOrigin + performance.now();
const say = (fact) => process.stdout.write(JSON.stringify(fact) + "\n");

const listen = ({ packages, port, key, token, channel }) => {
  const Pusher = createRequire(`${packages}/`)("pusher-js");
  const pusher = new Pusher(key, {
    cluster: "", wsHost: "127.0.0.1", wsPort: port, forceTLS: false, enabledTransports: ["ws"], disableStats: true,
    channelAuthorization: {
      endpoint: `http://127.0.0.1:${port}/api/v1/realtime/auth`,
      headers: { Authorization: `Bearer ${token}` },
    },
  });
  const subscribed = pusher.subscribe(channel);
  subscribed.bind("notification.created", ({ title }) => arrived.push([title, now()]));
  subscribed.bind("pusher:subscription_succeeded", () => say({ listening: true }));
  subscribed.bind("pusher:subscription_error", (error) => say({ listening: false, error }));
};

createInterface({ input: process.stdin })
  .on("line", (line) => listen(JSON.parse(line)))
  .on("close", () => process.stdout.write(JSON.stringify(arrived) + "\n", () => process.exit(0)));
