import { answered, api, type Schemas } from "@/lib/api";

/** Where connections of one kind of owner are kept, so that their forms need not know whose they are. */
export interface Store {
  make: (body: Schemas["ConnectionFields"]) => Promise<Schemas["ConnectionWithSecret"]>;
  change: (id: string, body: Schemas["ConnectionUpdate"]) => Promise<Schemas["ConnectionAnswer"]>;
  verify: (id: string, body: Schemas["VerifyBody"]) => Promise<Schemas["VerifyAnswer"]>;
  setup: (id: string) => Promise<Schemas["SetupAnswer"]>;
  remove: (id: string) => Promise<unknown>;
}

export const at = (id: string) => ({ params: { path: { connection_id: id } } });

export const OF_PROJECT: Store = {
  make: (body) => answered(api.POST("/api/v1/connections", { body })),
  change: (id, body) => answered(api.PUT("/api/v1/connections/{connection_id}", { ...at(id), body })),
  verify: (id, body) => answered(api.POST("/api/v1/connections/{connection_id}/verify", { ...at(id), body })),
  setup: (id) => answered(api.GET("/api/v1/connections/{connection_id}/setup", at(id))),
  remove: (id) => answered(api.DELETE("/api/v1/connections/{connection_id}", at(id))),
};
