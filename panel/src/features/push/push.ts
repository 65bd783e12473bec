import { create } from "zustand";
import { answered, api } from "@/lib/api";
import { Problem } from "@/lib/problem";
import { queries } from "@/lib/queries";
import { keep, kept } from "@/lib/store";
import { deviceOf } from "../security/device";
import { subscribed, supported, unsubscribed } from "./browser";

/** Whom this browser tells things while no page is open, and which of their addresses it is. */
interface Here {
  userId: string;
  addressId: string;
  endpoint: string;
}

export const usePush = create<{ here: Here | null }>(() => ({ here: JSON.parse(kept("push") ?? "null") as Here | null }));

globalThis.addEventListener?.("storage", ({ key, newValue }) => {
  if (key === "tocsin.push") usePush.setState({ here: JSON.parse(newValue ?? "null") as Here | null });
});

/** The browser was asked, and does not want to. */
export class Refused extends Error {}

/** By hand, which is when a browser lets itself be asked. */
export async function turnOn(userId: string, key: string): Promise<void> {
  if ((await Notification.requestPermission()) !== "granted") throw new Refused();
  await register(userId, key);
}

/** Also where the server is not reached: a browser that is not subscribed shows nothing, and its address is found dead. */
export async function turnOff(): Promise<void> {
  const { here } = usePush.getState();
  remember(null);
  await unsubscribed();
  if (here) await removed(here);
}

/**
 * At each start: what was removed elsewhere is given up here, what the browser gave up is removed there, and another
 * key or endpoint is registered. Whoever signed in before is told nothing here any more.
 */
export async function renew(userId: string): Promise<void> {
  const { here } = usePush.getState();
  if (!here || !supported()) return;
  if (here.userId !== userId) return forgotten();
  const path = { params: { path: { user_id: userId } } };
  const addresses = await answered(api.GET("/api/v1/users/{user_id}/addresses", path));
  if (!addresses.some(({ id }) => id === here.addressId)) return forgotten();
  if (Notification.permission !== "granted") return turnOff();
  const { publicKey } = await answered(api.GET("/api/v1/web-push"));
  if (publicKey) await register(userId, publicKey);
}

async function register(userId: string, key: string): Promise<void> {
  const { here } = usePush.getState();
  const there = await subscribed(key);
  if (here?.userId === userId && here.endpoint === there.endpoint) return;
  const body = { channel: "webpush", value: JSON.stringify(there), label: deviceOf(navigator.userAgent) };
  const { id } = await answered(api.POST("/api/v1/users/{user_id}/addresses", { params: { path: { user_id: userId } }, body }));
  remember({ userId, addressId: id, endpoint: there.endpoint });
  if (here?.userId === userId && here.addressId !== id) await removed(here);
  await queries.invalidateQueries({ queryKey: ["users"] });
}

async function forgotten(): Promise<void> {
  remember(null);
  await unsubscribed();
}

async function removed({ userId, addressId }: Here): Promise<void> {
  const path = { user_id: userId, address_id: addressId };
  try {
    await answered(api.DELETE("/api/v1/users/{user_id}/addresses/{address_id}", { params: { path } }));
  } catch (error) {
    if (!(error instanceof Problem && error.status === 404)) throw error;
  }
  await queries.invalidateQueries({ queryKey: ["users"] });
}

function remember(here: Here | null): void {
  keep("push", here && JSON.stringify(here));
  usePush.setState({ here });
}
