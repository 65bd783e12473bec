import { useQuery } from "@tanstack/react-query";
import { answered, api, type Schemas } from "@/lib/api";
import { useProviders } from "../connections/providers";
import { of, useMe } from "./me";

export type Address = Schemas["AddressAnswer"];

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
