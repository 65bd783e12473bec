import { t } from "@/lib/t";

/** Channels and kinds of addresses, as a person would call them. */
const NAMES: Record<string, string> = {
  realtime: t("In the app"),
  email: t("E-mail"),
  sms: t("SMS"),
  phone: t("Phone"),
  pusher: t("In the app"),
  telegram: t("Telegram"),
  whatsapp: t("WhatsApp"),
  push: t("Phone app"),
  fcm: t("Phone app"),
  apns: t("iPhone app"),
  web_push: t("Browser"),
  webpush: t("Browser"),
};

export const nameOf = (channel: string): string => NAMES[channel] ?? channel;
