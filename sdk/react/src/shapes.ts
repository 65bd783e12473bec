/** What the API answers, as far as it is shown here. `tests/shapes.test-d.ts` holds it against `openapi.json`. */
export interface AcknowledgedBy {
  /** Null where a backend said it with its key. */
  userId: string | null;
  name: string | null;
  at: string;
  via: string;
}

export interface Told {
  id: string;
  title: string;
  message: string;
  sound: string | null;
  soundUrl: string | null;
  silent: boolean;
  priority: "critical" | "high" | "normal" | "low";
  action: { url?: string; label?: string | null; [other: string]: unknown } | null;
  requireAck: boolean;
  createdAt: string;
  /** Its number in this person's feed. */
  seq: number | null;
}

/** As `GET /notifications` lists it. */
export interface Listed extends Told {
  acknowledgedBy: AcknowledgedBy[];
  recipients: { userId: string; seenAt: string | null; readAt: string | null }[];
}

/** One notification of the person who is signed in. */
export interface Notification extends Told {
  seen: boolean;
  read: boolean;
  acknowledgedBy: AcknowledgedBy[];
}

export interface Page {
  items: Listed[];
  nextCursor: string | null;
}

export interface TopicWish {
  muted: boolean;
  subscribed: boolean;
  channels: string[] | null;
  ignoreQuietHours: boolean;
}

export interface Topic {
  name: string;
  /** It reaches only those who subscribe. */
  optIn: boolean;
  wish: TopicWish | null;
}

export interface QuietHours {
  from: string;
  to: string;
  days?: string[];
  channels?: string[];
}

export interface WebPush {
  publicKey: string | null;
}

export interface Device {
  id: string;
}

export interface Preferences {
  channels: Record<string, boolean>;
  quietHours: QuietHours | null;
}

export function own(listed: Listed, userId: string): Notification {
  const { recipients, ...told } = listed;
  const mine = recipients.find((each) => each.userId === userId);
  return { ...told, seen: Boolean(mine?.seenAt), read: Boolean(mine?.readAt) };
}

export function arrived(told: Told): Notification {
  return { ...told, seen: false, read: false, acknowledgedBy: [] };
}

/** Whether somebody is still asked to see to it. */
export const waits = (one: Notification): boolean => one.requireAck && one.acknowledgedBy.length === 0;
