export { Inbox, type InboxProps } from "./Inbox.js";
export { NotificationBell, type NotificationBellProps } from "./NotificationBell.js";
export type { PushStanding } from "./push.js";
export { Problem } from "./problem.js";
export type { AcknowledgedBy, Notification } from "./shapes.js";
export { TocsinProvider, type TocsinProviderProps, useNotifications, usePush, useSignOut, useUnread } from "./TocsinProvider.js";
export { english, type Words } from "./words.js";
