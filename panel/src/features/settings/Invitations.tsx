import { Button } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { useMutation } from "@tanstack/react-query";
import { Badge } from "@/components/ui/Badge";
import { confirm } from "@/components/ui/confirm";
import { IconPlus, IconUsers } from "@/components/ui/icons";
import { Listing } from "@/components/ui/Listing";
import { Section } from "@/components/ui/Page";
import { Empty } from "@/components/ui/States";
import { tellProblem } from "@/components/ui/told";
import { When } from "@/components/ui/When";
import { answered, api, type Schemas } from "@/lib/api";
import { queries, usePages } from "@/lib/queries";
import { useMay } from "@/lib/session";
import { t } from "@/lib/t";
import { NewUser } from "../users/NewUser";

type Invite = Schemas["InviteAnswer"];

export function Invitations() {
  const may = useMay("users:manage");
  const [opened, { open, close }] = useDisclosure();
  // Under "users", because adding somebody there may invite them.
  const list = usePages(["users", "invites"], (cursor, signal) => answered(api.GET("/api/v1/invites", { params: { query: { cursor } }, signal })));
  const add = (size: "sm" | "compact-sm") =>
    may && (
      <Button size={size} onClick={open} leftSection={<IconPlus size={14} aria-hidden />}>
        {t("Invite somebody")}
      </Button>
    );
  return (
    <Section title={t("Invitations")} aside={list.items.length > 0 && add("compact-sm")}>
      <Listing
        label={t("Invitations")}
        query={list}
        empty={
          <Empty icon={IconUsers} title={t("Nobody was invited yet")} action={add("sm")}>
            {t("An invitation is a mail with a link, by which somebody sets a password and gets the roles you chose.")}
          </Empty>
        }
        columns={[
          { name: t("E-mail"), cell: (invite) => <strong>{invite.email}</strong> },
          { name: t("Roles"), cell: (invite) => (invite.roles.length ? invite.roles.map((role) => <span key={role} className="chip">{role}</span>) : <span className="dimmed">–</span>) },
          { name: t("State"), width: 120, cell: (invite) => <Badge state={invite.state} /> },
          { name: t("Sent"), width: 120, cell: (invite) => <When time={invite.createdAt} /> },
          { name: t("Ends"), width: 120, cell: (invite) => <When time={invite.state === "open" ? invite.expiresAt : null} /> },
          { name: t("Do"), silent: true, width: 110, cell: (invite) => may && invite.state === "open" && <Withdraw invite={invite} /> },
        ]}
      />
      <NewUser opened={opened} close={close} />
    </Section>
  );
}

function Withdraw({ invite }: { invite: Invite }) {
  const withdrawing = useMutation({
    mutationFn: () => answered(api.DELETE("/api/v1/invites/{invite_id}", { params: { path: { invite_id: invite.id } } })),
    onSettled: () => queries.invalidateQueries({ queryKey: ["users"] }),
    onError: tellProblem,
  });
  const ask = () => confirm({ title: t("Withdraw the invitation?"), text: t("The link that {email} got does not work any more.", { email: invite.email }), yes: t("Withdraw"), act: () => withdrawing.mutate() });
  return (
    <Button size="compact-sm" variant="default" onClick={ask} loading={withdrawing.isPending} aria-label={t("Withdraw the invitation of {email}", { email: invite.email })}>
      {t("Withdraw")}
    </Button>
  );
}
