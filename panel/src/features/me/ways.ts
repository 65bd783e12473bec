import { useQuery } from "@tanstack/react-query";
import { answered, api, type Schemas } from "@/lib/api";
import { t } from "@/lib/t";
import { useProviders } from "../connections/providers";
import { of, useMe } from "./me";

export type Address = Schemas["AddressAnswer"];

/** Channels and kinds of addresses, as a person would call them. */
const NAMES: Record<string, string> = {
  realtime: t("In the app"),
  email: t("E-mail"),
  sms: t("SMS"),
  phone: t("Phone"),
  telegram: t("Telegram"),
  whatsapp: t("WhatsApp"),
  push: t("Phone app"),
  fcm: t("Phone app"),
  apns: t("iPhone app"),
  web_push: t("Browser"),
  webpush: t("Browser"),
};

export const nameOf = (channel: string): string => NAMES[channel] ?? channel;

export function useAddresses() {
  const { id } = useMe();
  return useQuery({
    queryKey: ["users", "addresses", id],
    queryFn: ({ signal }) => answered(api.GET("/api/v1/users/{user_id}/addresses", { ...of(id), signal })),
  });
}

/** The channels by which this person can be reached, with those of `more`; sockets always. */
export function useWays(more: string[] = []): string[] {
  const { email, phone } = useMe();
  const { data: addresses } = useAddresses();
  const { data: providers } = useProviders();
  const kinds = new Set([email && "email", phone && "phone", ...(addresses ?? []).map((each) => each.channel)]);
  const reaching = (providers ?? []).filter((each) => each.reaches === "person" && each.addressKind && kinds.has(each.addressKind));
  return [...new Set(["realtime", ...reaching.map((each) => each.channel), ...more])];
}
