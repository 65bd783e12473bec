import { answered, api } from "@/lib/api";

export const SAMPLE = { type: "order.created", payload: { orderId: "A-17", amount: 1250, customer: "Initech" } };

export type Payload = Record<string, unknown>;

export function sendEvent(type: string, payload: Payload): Promise<{ id: string }> {
  return answered(api.POST("/api/v1/events", { body: { type, payload, source: "panel" } }));
}

/** The object that a text spells, or null. */
export function typed(text: string): Payload | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Payload) : null;
  } catch {
    return null;
  }
}
