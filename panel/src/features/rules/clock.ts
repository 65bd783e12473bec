/** What a rule that runs by the time of day sees, for a first trial before it ran. */
export const CLOCK_SAMPLE = {
  type: "tocsin.clock",
  payload: {
    localTime: "2026-03-02 08:00",
    timezone: "Europe/Vienna",
    period: { start: "2026-03-01T07:00:00.000Z", end: "2026-03-02T07:00:00.000Z" },
    counts: {
      events: { total: 412, byType: { "order.created": 400, "stock.changed": 12 } },
      notifications: { made: 398, acknowledged: 31 },
      deliveries: { delivered: 402, failed: 2, waiting: 0 },
      complete: true,
    },
  },
};
