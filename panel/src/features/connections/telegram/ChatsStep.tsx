import { Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Id } from "@/components/ui/Code";
import { Step } from "@/components/ui/Guide";
import { answered, api } from "@/lib/api";
import { t } from "@/lib/t";
import { type Connection, works } from "../setup";

const LOOK_AGAIN_MS = 5_000;

/** Groups and channels, which the bot notices when it is let in. */
export function ChatsStep({ one }: { one: Connection | undefined }) {
  const { data } = useQuery({
    queryKey: ["connections", "chats", one?.id],
    enabled: works(one),
    queryFn: ({ signal }) => answered(api.GET("/api/v1/connections/{connection_id}/chats", { params: { path: { connection_id: one!.id } }, signal })),
    refetchInterval: LOOK_AGAIN_MS,
  });
  const open = data?.items.filter((chat) => chat.state === "open") ?? [];
  return (
    <Step title={t("Groups and channels, if you want any")} standing={open.length ? "done" : works(one) ? "open" : "later"}>
      <Text size="sm" mb={open.length ? "sm" : 0}>
        {t("Add the bot as a member of a group, or as an administrator of a channel. They appear here, with the address to name in a destination.")}
      </Text>
      {open.map((chat) => (
        <div key={chat.id} className="line">
          <div className="line-main">
            <strong>{chat.title}</strong>
            <small>{chat.kind}</small>
          </div>
          <Id value={chat.target} />
        </div>
      ))}
    </Step>
  );
}
