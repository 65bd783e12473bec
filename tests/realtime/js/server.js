// Calls the official server library once: the options and the call come as JSON, what came of it goes out as JSON.
import { createRequire } from "node:module";

const Pusher = createRequire(`${process.argv[2]}/`)("pusher");
const { options, call, args } = JSON.parse(process.argv[3]);

try {
  const answer = await new Pusher(options)[call](...args);
  process.stdout.write(JSON.stringify({ status: answer.status, body: await answer.json() }));
} catch (error) {
  process.stdout.write(JSON.stringify({ status: error.status, text: error.body ?? String(error) }));
}
