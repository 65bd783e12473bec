import { Anchor, Button, Group, Text } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { Link } from "react-router";
import { Badge } from "@/components/ui/Badge";
import { nameOf } from "@/components/ui/channels";
import { confirm } from "@/components/ui/confirm";
import { IconPlus, IconTelegram } from "@/components/ui/icons";
import { Section } from "@/components/ui/Page";
import { Failed, RowSkeletons } from "@/components/ui/States";
import { tellProblem } from "@/components/ui/told";
import { answered, api } from "@/lib/api";
import { queries } from "@/lib/queries";
import { t } from "@/lib/t";
import { usePush } from "../push/push";
import { PushSwitch } from "../push/PushSwitch";
import { NewAddress } from "./NewAddress";
import { NewChat } from "./NewChat";
import { useMe } from "./me";
import { type Address, useAddresses } from "./ways";

type Adding = "address" | "chat" | null;

/** Every place where this person is told something, and how to get another one. */
export function Addresses() {
  const me = useMe();
  const { data, error, refetch } = useAddresses();
  const here = usePush((push) => push.here?.addressId);
  const [adding, setAdding] = useState<Adding>(null);
  return (
    <Section title={t("Where you are reached")} flush>
      {error && <Failed error={error} retry={refetch} />}
      {!data && !error && <RowSkeletons count={2} />}
      {me.email && <OfProfile kind="email" value={me.email} proven={me.emailVerifiedAt !== null} />}
      {me.phone && <OfProfile kind="phone" value={me.phone} />}
      {data?.map((address) => address.id !== here && <OneAddress key={address.id} address={address} />)}
      {data && !me.email && !me.phone && data.length === 0 && (
        <Text size="sm" c="dimmed" p="md">
          {t("Nowhere but here. Add an address, or link Telegram.")}
        </Text>
      )}
      <PushSwitch />
      <div className="line">
        {adding === null && (
          <Group gap="xs">
            <Button size="xs" variant="default" leftSection={<IconPlus size={14} aria-hidden />} onClick={() => setAdding("address")}>
              {t("Add an address")}
            </Button>
            <Button size="xs" variant="default" leftSection={<IconTelegram size={14} aria-hidden />} onClick={() => setAdding("chat")}>
              {t("Link Telegram")}
            </Button>
          </Group>
        )}
        {adding === "address" && <NewAddress close={() => setAdding(null)} />}
        {adding === "chat" && <NewChat close={() => setAdding(null)} />}
      </div>
    </Section>
  );
}

function OfProfile({ kind, value, proven }: { kind: string; value: string; proven?: boolean }) {
  return (
    <div className="line">
      <div className="line-main">
        <strong>{value}</strong>
        <small>{t("{kind} of your account", { kind: nameOf(kind) })}</small>
      </div>
      {proven === false && <Badge state="unverified">{t("Not proven")}</Badge>}
      {kind === "email" && (
        <Anchor component={Link} to="/me/security" size="sm">
          {proven === false ? t("Prove it") : t("Change")}
        </Anchor>
      )}
    </div>
  );
}

function OneAddress({ address }: { address: Address }) {
  const { id } = useMe();
  const removing = useMutation({
    mutationFn: () => answered(api.DELETE("/api/v1/users/{user_id}/addresses/{address_id}", { params: { path: { user_id: id, address_id: address.id } } })),
    onSettled: () => queries.invalidateQueries({ queryKey: ["users"] }),
    onError: tellProblem,
  });
  const kind = nameOf(address.channel);
  const ask = () => confirm({ title: t("Remove {kind} {value}?", { kind, value: address.value }), text: t("You are told nothing there any more."), yes: t("Remove"), act: () => removing.mutate() });
  return (
    <div className="line">
      <div className="line-main">
        <strong>{address.label ?? address.value}</strong>
        <small>{address.label ? `${kind} · ${address.value}` : kind}</small>
      </div>
      {address.optedOutAt ? <Badge state="off">{t("Opted out")}</Badge> : address.verifiedAt && <Badge state="ok">{t("Proven")}</Badge>}
      <Button size="compact-xs" variant="subtle" color="gray" onClick={ask} loading={removing.isPending} aria-label={t("Remove {kind} {value}", { kind, value: address.value })}>
        {t("Remove")}
      </Button>
    </div>
  );
}
