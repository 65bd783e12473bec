import { useQuery } from "@tanstack/react-query";
import { answered, api } from "@/lib/api";
import { useSession } from "@/lib/session";

const LOOK_AGAIN_MS = 2_000;

/** One's own chat with a bot, as soon as there is one; undefined until then. */
export function useMyChat(wanted: boolean): string | undefined {
  const id = useSession((session) => session.me!.user.id);
  const { data } = useQuery({
    queryKey: ["users", "addresses", id],
    enabled: wanted,
    queryFn: ({ signal }) => answered(api.GET("/api/v1/users/{user_id}/addresses", { params: { path: { user_id: id } }, signal })),
    refetchInterval: ({ state }) => (state.data?.some(isChat) ? false : LOOK_AGAIN_MS),
  });
  return data?.findLast(isChat)?.value;
}

const isChat = ({ channel, verifiedAt }: { channel: string; verifiedAt: string | null }) => channel === "telegram" && verifiedAt !== null;
