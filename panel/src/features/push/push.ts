import { create } from "zustand";
import { answered, api } from "@/lib/api";
import { Problem } from "@/lib/problem";
import { queries } from "@/lib/queries";
import { ofPlatform } from "@/lib/place";
import { useSession } from "@/lib/session";
import { keep, kept } from "@/lib/store";
import { mayReturn } from "@/lib/tokens";
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

/** Calls about a person's browser are made where the person is, whichever side of the wall they look at. */
export const atHome = () => ({ header: { "X-Tocsin-Env": useSession.getState().me?.user.env } });

/** The browser was asked, and does not want to. */
export class Refused extends Error {}

/** By hand, which is when a browser lets itself be asked. */
export async function turnOn(userId: string, key: string): Promise<void> {
  if ((await Notification.requestPermission()) !== "granted") throw new Refused();
  await register(userId, key);
}

/**
 * On both sides, though one of them fails: a browser that is not subscribed shows nothing and its address is found
 * dead, and nothing is sent to an address that is removed.
 */
export async function turnOff(): Promise<void> {
  const { here } = usePush.getState();
  remember(null);
  const sides = await Promise.allSettled([unsubscribed(), here && removed(here)]);
  const failed = sides.find(({ status }) => status === "rejected") as PromiseRejectedResult | undefined;
  if (failed) throw failed.reason;
}

/** Where a session ends elsewhere, the browser shows nothing more. Whoever is only not reached is still signed in. */
export function endWithSession(): void {
  if (ofPlatform) return;
  useSession.subscribe(({ status }) => {
    if (status === "out" && !mayReturn()) forgotten().catch(() => {}); // tried again by `renew`
  });
}

/**
 * At each start: what was removed elsewhere is given up here, what the browser gave up is removed there, and another
 * key or endpoint is registered. Whoever signed in before is told nothing here any more.
 */
export async function renew(userId: string): Promise<void> {
  if (!supported()) return;
  const { here } = usePush.getState();
  if (here?.userId !== userId) return forgotten();
  const params = { path: { user_id: userId }, ...atHome() };
  const addresses = await answered(api.GET("/api/v1/users/{user_id}/addresses", { params }));
  if (!addresses.some(({ id }) => id === here.addressId)) return forgotten();
  if (Notification.permission !== "granted") return turnOff();
  const { publicKey } = await answered(api.GET("/api/v1/web-push", { params: atHome() }));
  if (publicKey) await register(userId, publicKey);
}

async function register(userId: string, key: string): Promise<void> {
  const { here } = usePush.getState();
  const there = await subscribed(key);
  if (here?.userId === userId && here.endpoint === there.endpoint) return;
  const body = { channel: "webpush", value: JSON.stringify(there), label: deviceOf(navigator.userAgent) };
  const { id } = await answered(api.POST("/api/v1/users/{user_id}/addresses", { params: { path: { user_id: userId }, ...atHome() }, body }));
  remember({ userId, addressId: id, endpoint: there.endpoint });
  if (here?.userId === userId && here.addressId !== id) await removed(here);
  await queries.invalidateQueries({ queryKey: ["users"] });
}

async function forgotten(): Promise<void> {
  remember(null);
  await unsubscribed();
}

async function removed({ userId, addressId }: Here): Promise<void> {
  const params = { path: { user_id: userId, address_id: addressId }, ...atHome() };
  try {
    await answered(api.DELETE("/api/v1/users/{user_id}/addresses/{address_id}", { params }));
  } catch (error) {
    if (!(error instanceof Problem && error.status === 404)) throw error;
  }
  await queries.invalidateQueries({ queryKey: ["users"] });
}

function remember(here: Here | null): void {
  keep("push", here && JSON.stringify(here));
  usePush.setState({ here });
}
