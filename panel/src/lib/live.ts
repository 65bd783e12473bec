import { create } from "zustand";
import type Pusher from "pusher-js";
import { answered, api } from "./api";
import { visitId } from "./place";
import { queries } from "./queries";
import { asProblem } from "./problem";

/** How the panel hears of what happens: `off` where nobody may, `waiting` while it is being reached again. */
export type Line = "off" | "waiting" | "live";

export const useLine = create<{ line: Line }>(() => ({ line: "off" }));

const MOST_OFTEN_MS = 1_000;

type Hearer = (event: string, data: unknown) => void;

const hearers = new Set<Hearer>();

/** Calls back with each frame of one's own channel, until the function that it returns is called. */
export function onOwn(hearer: Hearer): () => void {
  hearers.add(hearer);
  return () => void hearers.delete(hearer);
}

/** Subscribes to one's own channel and, with the permission, the project's; ends with the function it returns. */
export function listen(userId: string, projectId: string, wholeProject: boolean): () => void {
  let pusher: Pusher | null = null;
  let over = false;
  const refresh = throttled(() => queries.invalidateQueries());

  async function begin(): Promise<void> {
    const [{ default: Client }, app] = await Promise.all([
      import("pusher-js"),
      answered(api.GET("/api/v1/realtime/app")),
    ]);
    if (over || !app.key) return;
    pusher = connected(Client, app.key);
    pusher.connection.bind("state_change", ({ current }: { current: string }) => {
      if (current !== "connected") useLine.setState({ line: "waiting" });
    });
    // On a visit nobody here is a user of the project.
    const own = visitId ? null : pusher.subscribe(`private-user-${userId}`);
    const whole = wholeProject ? pusher.subscribe(`private-project-${projectId}`) : null;
    // Nothing is heard before. What happened meanwhile was not told, so everything on the screen is read again.
    (own ?? whole)?.bind("pusher:subscription_succeeded", () => useLine.setState({ line: "live" }));
    own?.bind_global((event: string, data: unknown) => hearers.forEach((hearer) => hearer(event, data)));
    for (const channel of [own, whole]) channel?.bind_global(refresh);
  }

  begin().catch(() => useLine.setState({ line: "off" }));
  return () => {
    over = true;
    pusher?.disconnect();
    useLine.setState({ line: "off" });
  };
}

function connected(Client: typeof Pusher, key: string): Pusher {
  const secure = location.protocol === "https:";
  const port = Number(location.port) || (secure ? 443 : 80);
  return new Client(key, {
    cluster: "",
    wsHost: location.hostname,
    wsPort: port,
    wssPort: port,
    forceTLS: secure,
    enabledTransports: ["ws", "wss"],
    channelAuthorization: {
      transport: "ajax",
      endpoint: "/api/v1/realtime/auth",
      customHandler: ({ socketId, channelName }, done) => {
        answered(api.POST("/api/v1/realtime/auth", { body: { socket_id: socketId, channel_name: channelName } }))
          .then(({ auth }) => done(null, { auth }))
          .catch((error: unknown) => done(asProblem(error), null));
      },
    },
  });
}

/** At once, then at most once in a while, and once more at the end of a burst. */
function throttled(work: () => void): () => void {
  let last = 0;
  let waiting: ReturnType<typeof setTimeout> | null = null;
  return () => {
    if (waiting) return;
    waiting = setTimeout(
      () => {
        waiting = null;
        last = Date.now();
        work();
      },
      Math.max(0, last + MOST_OFTEN_MS - Date.now()),
    );
  };
}
