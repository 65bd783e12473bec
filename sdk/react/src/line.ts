import type Pusher from "pusher-js";
import { asProblem } from "./problem.js";
import type { Session } from "./session.js";

const SOONEST_MS = 2_000;
const LATEST_MS = 60_000;

export interface Heard {
  /** Subscribed, for the first time or again: what happened before was not told. */
  up: () => void;
  down: () => void;
  told: (event: string, data: unknown) => void;
}

/** One's own channel, for as long as it is open. pusher-js comes back by itself, but not from a session that ended. */
export class Line {
  private pusher: Pusher | null = null;
  private channel: string | null = null;
  private over = false;
  private up = false;
  private wait = SOONEST_MS;
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly session: Session,
    private readonly heard: Heard,
  ) {
    void this.open();
  }

  /** Say something on the own channel; false where it cannot be said now. */
  say(event: string, data: unknown): boolean {
    if (!this.up || !this.channel) return false;
    return this.pusher?.channel(this.channel)?.trigger(event, data) ?? false;
  }

  close(): void {
    this.over = true;
    clearTimeout(this.timer);
    this.pusher?.disconnect();
  }

  private async open(): Promise<void> {
    try {
      const [{ default: Client }, userId] = await Promise.all([import("pusher-js"), this.session.userId()]);
      if (this.over) return;
      this.pusher = this.connected(Client);
      this.subscribe(this.pusher, `private-user-${userId}`);
    } catch {
      this.again();
    }
  }

  private connected(Client: typeof Pusher): Pusher {
    const { url } = this.session;
    const secure = url.protocol === "https:";
    const port = Number(url.port) || (secure ? 443 : 80);
    const pusher = new Client(this.session.apiKey, {
      cluster: "", // wanted by the library, used by nobody
      wsHost: url.hostname,
      wsPort: port,
      wssPort: port,
      forceTLS: secure,
      enabledTransports: ["ws", "wss"],
      channelAuthorization: {
        transport: "ajax",
        endpoint: "",
        customHandler: ({ socketId, channelName }, done) => {
          const body = { socket_id: socketId, channel_name: channelName };
          this.session
            .call<{ auth: string }>("POST", "/realtime/auth", body)
            .then((signed) => done(null, signed))
            .catch((error: unknown) => done(asProblem(error), null));
        },
      },
    });
    pusher.connection.bind("state_change", ({ current }: { current: string }) => {
      if (current !== "connected" && (this.up || current === "unavailable")) this.fell();
      if (current === "disconnected" || current === "failed") this.again();
    });
    return pusher;
  }

  private subscribe(pusher: Pusher, name: string): void {
    this.channel = name;
    const channel = pusher.subscribe(name);
    channel.bind("pusher:subscription_succeeded", () => {
      this.up = true;
      this.wait = SOONEST_MS;
      this.heard.up();
    });
    channel.bind("pusher:subscription_error", () => this.again());
    channel.bind_global((event: string, data: unknown) => this.heard.told(event, data));
  }

  private fell(): void {
    this.up = false;
    this.heard.down();
  }

  /** From the beginning, with a token of which nothing bad is known, later each time. */
  private again(): void {
    if (this.over) return;
    this.fell();
    clearTimeout(this.timer);
    const old = this.pusher;
    this.pusher = null;
    old?.connection.unbind();
    old?.disconnect();
    this.timer = setTimeout(() => {
      this.session.doubt();
      void this.open();
    }, this.wait);
    this.wait = Math.min(this.wait * 2, LATEST_MS);
  }
}
