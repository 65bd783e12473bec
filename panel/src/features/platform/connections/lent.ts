import { answered, api } from "@/lib/api";
import { at, type Store } from "../../connections/store";

/** The platform's own, which it lends. */
export const OF_PLATFORM: Store = {
  make: (body) => answered(api.POST("/api/v1/platform/connections", { body })),
  change: (id, body) => answered(api.PUT("/api/v1/platform/connections/{connection_id}", { ...at(id), body })),
  verify: (id, body) => answered(api.POST("/api/v1/platform/connections/{connection_id}/verify", { ...at(id), body })),
  setup: (id) => answered(api.GET("/api/v1/platform/connections/{connection_id}/setup", at(id))),
  remove: (id) => answered(api.DELETE("/api/v1/platform/connections/{connection_id}", at(id))),
};
