import { Alert, Anchor, Button, Group, PasswordInput, Radio, Stack, Text } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { Facts } from "@/components/ui/Facts";
import { Step } from "@/components/ui/Guide";
import { Failed } from "@/components/ui/States";
import type { Schemas } from "@/lib/api";
import { asProblem } from "@/lib/problem";
import { queries } from "@/lib/queries";
import { t } from "@/lib/t";
import { type Connection, stored, verified, works } from "../setup";

interface Props {
  one: Connection | undefined;
  setup: Schemas["SetupAnswer"] | undefined;
  own: boolean;
  made: (id: string) => void;
}

/** The token is stored and shown to Telegram in one go; what Telegram says of it stands here. */
export function TokenStep({ one, setup, own, made }: Props) {
  const [changing, setChanging] = useState(false);
  const done = works(one) && !changing;
  return (
    <Step title={t("Make a bot and check its token")} standing={done ? "done" : "now"}>
      {done ? <Found one={one!} mode={setup?.mode} change={() => setChanging(true)} /> : <TokenForm one={one} own={own} made={made} finished={() => setChanging(false)} />}
    </Step>
  );
}

function Found({ one, mode, change }: { one: Connection; mode: string | undefined; change: () => void }) {
  const name = one.account?.name;
  return (
    <Stack gap="sm">
      <Facts
        facts={[
          [t("Bot"), typeof name === "string" ? name : t("not asked in Test")],
          [t("Messages to it"), mode === "webhook" ? t("Telegram calls us") : t("We ask Telegram")],
        ]}
      />
      <Button variant="default" size="compact-sm" onClick={change} style={{ alignSelf: "flex-start" }}>
        {t("Change")}
      </Button>
    </Stack>
  );
}

interface Wanted {
  takeOver?: boolean;
}

function TokenForm({ one, own, made, finished }: Omit<Props, "setup"> & { finished: () => void }) {
  const [token, setToken] = useState("");
  const [mode, setMode] = useState(one?.settings?.mode === "polling" ? "polling" : "webhook");
  const [id, setId] = useState(one?.id);
  const checking = useMutation({
    mutationFn: async ({ takeOver = false }: Wanted) => {
      const credentials = token ? { botToken: token.trim() } : undefined;
      const body = { provider: "telegram", name: t("Telegram bot"), owner: own ? ("user" as const) : ("project" as const), settings: { mode }, credentials };
      const kept = await stored(id, body);
      setId(kept);
      await verified(kept, { takeOver });
      return kept;
    },
    onSettled: () => queries.invalidateQueries({ queryKey: ["connections"] }),
    onSuccess: (kept) => {
      finished();
      made(kept);
    },
  });
  const problem = checking.error && asProblem(checking.error);
  const atToken = problem?.byField["credentials.botToken"];
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        checking.mutate({});
      }}
    >
      <Stack gap="md">
        <Text size="sm">
          {t("In Telegram, write")} <code>/newbot</code> {t("to")}{" "}
          <Anchor underline="always" href="https://t.me/BotFather" target="_blank" rel="noreferrer" size="sm">
            @BotFather
          </Anchor>{" "}
          {t("and answer its two questions. It shows a token: paste it here.")}
        </Text>
        <PasswordInput
          label={t("Bot token")}
          placeholder="123456:ABC-DEF…"
          description={id ? t("Empty: the one that is stored.") : undefined}
          required={!id}
          autoComplete="off"
          spellCheck={false}
          visibilityToggleButtonProps={{ "aria-label": t("Show it") }}
          error={atToken}
          value={token}
          onChange={({ currentTarget }) => setToken(currentTarget.value)}
        />
        <Radio.Group label={t("How it hears what people write")} value={mode} onChange={setMode}>
          <Stack gap="xs" mt="xs">
            <Radio value="webhook" label={t("Telegram calls us")} description={t("At once. Takes a public address with HTTPS; where there is none, we ask.")} />
            <Radio value="polling" label={t("We ask Telegram")} description={t("Works everywhere, also behind a firewall.")} />
          </Stack>
        </Radio.Group>
        {problem && !atToken && <Refused problem={problem} takeOver={() => checking.mutate({ takeOver: true })} busy={checking.isPending} />}
        <Group>
          <Button type="submit" loading={checking.isPending}>
            {t("Check the token")}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

/** A bot has one listener. Taking it from another program is asked for by name. */
function Refused({ problem, takeOver, busy }: { problem: ReturnType<typeof asProblem>; takeOver: () => void; busy: boolean }) {
  if (problem.code !== "webhook_taken") return <Failed error={problem} />;
  return (
    <Alert className="notice" color="yellow" radius="lg" title={t("Another program listens to this bot")} role="alert">
      <Text size="sm" mb="xs">
        {problem.message}
      </Text>
      <Button size="compact-sm" variant="default" onClick={takeOver} loading={busy}>
        {t("Lead it here")}
      </Button>
    </Alert>
  );
}
