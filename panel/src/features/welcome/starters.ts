import type { Schemas } from "@/lib/api";
import { t } from "@/lib/t";
import type { Payload } from "../events/send";

export interface Starter {
  says: string;
  rule: Schemas["RuleCreate"] & { eventTypes: string[] };
  payload: Payload;
}

const COMMON = { targetRoles: ["owner"], channels: ["realtime" as const] };

export const STARTERS: Starter[] = [
  {
    says: t("An order above 1,000"),
    rule: {
      ...COMMON,
      name: t("Large orders"),
      eventTypes: ["order.created"],
      condition: "payload.amount > 1000",
      title: "Order {{ payload.orderId }}",
      message: "{{ payload.amount }} EUR from {{ payload.customer }}",
      priority: "high",
    },
    payload: { orderId: "A-17", amount: 1250, customer: "Initech" },
  },
  {
    says: t("A payment was refused; somebody has to see to it"),
    rule: {
      ...COMMON,
      name: t("Failed payments"),
      eventTypes: ["payment.failed"],
      title: "Payment of {{ payload.customer }} failed",
      message: "{{ payload.reason }}",
      priority: "critical",
      requireAck: true,
    },
    payload: { customer: "Initech", amount: 99, reason: "card_declined" },
  },
  {
    says: t("Somebody new signed up"),
    rule: {
      ...COMMON,
      name: t("New customers"),
      eventTypes: ["customer.created"],
      title: "Welcome {{ payload.name }}",
      message: "{{ payload.email }}",
      priority: "normal",
    },
    payload: { name: "Grace Hopper", email: "grace@example.com" },
  },
];

export function payloadOf(type: string): Payload {
  return STARTERS.find((starter) => starter.rule.eventTypes.includes(type))?.payload ?? {};
}
