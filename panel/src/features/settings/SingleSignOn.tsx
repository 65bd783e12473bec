import { Button, Group, PasswordInput, Select, Stack, Switch, TagsInput, Text, TextInput } from "@mantine/core";
import { useMutation, useQuery } from "@tanstack/react-query";
import { Badge } from "@/components/ui/Badge";
import { Id } from "@/components/ui/Code";
import { confirm } from "@/components/ui/confirm";
import { Facts } from "@/components/ui/Facts";
import { Loaded } from "@/components/ui/Loaded";
import { Section } from "@/components/ui/Page";
import { Failed } from "@/components/ui/States";
import { tellProblem } from "@/components/ui/told";
import { When } from "@/components/ui/When";
import { answered, api, type Schemas } from "@/lib/api";
import { queries } from "@/lib/queries";
import { useMay, useSession } from "@/lib/session";
import { t, tn } from "@/lib/t";
import { useRoles } from "../users/roles";
import { Part } from "./Part";
import { ifAny } from "./project";

type Sso = Schemas["SsoAnswer"];

const again = () => queries.invalidateQueries({ queryKey: ["project", "sso"] });

export function SingleSignOn() {
  const sso = useQuery({
    queryKey: ["project", "sso"],
    queryFn: ({ signal }) => ifAny("ssoIssuer", () => answered(api.GET("/api/v1/projects/me/sso", { signal }))),
  });
  return (
    <Loaded query={sso}>
      {(found) => (
        <>
          {found ? <AsItIs sso={found} /> : <AtTheProvider />}
          <Provider key={found ? "change" : "begin"} sso={found} />
        </>
      )}
    </Loaded>
  );
}

/** What the provider has to be told before it gives out a client. */
function AtTheProvider() {
  const slug = useSession((session) => session.me?.project.slug ?? "");
  return (
    <Section title={t("First, at your provider")}>
      <Stack gap="sm">
        <Text size="sm" c="dimmed">
          {t("Register a client for web applications at Google, Keycloak, Microsoft Entra ID or any provider of OpenID Connect, with this redirect URI:")}
        </Text>
        <Id value={`${location.origin}/api/v1/auth/sso/${slug}/callback`} />
      </Stack>
    </Section>
  );
}

function AsItIs({ sso }: { sso: Sso }) {
  const may = useMay("project:manage");
  const testing = useMutation({ mutationFn: () => answered(api.POST("/api/v1/projects/me/sso/test")) });
  return (
    <Section title={t("Single sign-on")} aside={<Badge state={sso.enabled ? "active" : "off"} />}>
      <Stack gap="sm">
        <Facts
          facts={[
            [t("Redirect URI"), <Id key="redirect" value={sso.redirectUri} />],
            [t("Where a browser begins"), <Id key="start" value={sso.startUrl} />],
            [t("Changed"), <When key="changed" time={sso.updatedAt} />],
          ]}
        />
        {testing.error && <Failed error={testing.error} />}
        {testing.data && (
          <div role="status">
            <Text size="sm" fw={550} mb="xs">
              {t("The provider answers.")} {tn(testing.data.keys, "It has 1 key to sign with.", "It has {n} keys to sign with.")}
            </Text>
            <Facts
              facts={[
                [t("Signs people in at"), testing.data.authorizationEndpoint],
                [t("Gives tokens at"), testing.data.tokenEndpoint],
                [t("Algorithms"), testing.data.algorithms.join(", ")],
              ]}
            />
          </div>
        )}
        {may && (
          <Group>
            <Button variant="default" onClick={() => testing.mutate()} loading={testing.isPending}>
              {t("Test")}
            </Button>
            <End />
          </Group>
        )}
      </Stack>
    </Section>
  );
}

function End() {
  const ending = useMutation({
    mutationFn: () => answered(api.DELETE("/api/v1/projects/me/sso")),
    onSettled: again,
    onError: tellProblem,
  });
  const ask = () => confirm({ title: t("End single sign-on?"), text: t("Nobody can sign in by the provider any more. Who is signed in stays so."), yes: t("End it"), act: () => ending.mutate() });
  return (
    <Button variant="default" onClick={ask} loading={ending.isPending}>
      {t("End it")}
    </Button>
  );
}

function Provider({ sso }: { sso: Sso | null }) {
  const roles = useRoles();
  const initial = {
    issuer: sso?.issuer ?? "",
    clientId: sso?.clientId ?? "",
    clientSecret: "",
    returnUrls: sso?.returnUrls ?? [],
    allowedDomains: sso?.allowedDomains ?? [],
    createUnknown: sso?.createUnknown ?? false,
    role: sso?.role ?? null,
    enabled: sso?.enabled ?? true,
  };
  const save = ({ clientSecret, ...rest }: typeof initial) =>
    answered(api.PUT("/api/v1/projects/me/sso", { body: { ...rest, ...(clientSecret && { clientSecret }) } }));
  return (
    <Part title={sso ? t("Provider") : t("Then, here")} lead={t("Saving asks the provider for its keys, and refuses what cannot work.")} initial={initial} save={save}>
      {(form) => (
        <>
          <TextInput label={t("Issuer")} description={t("Exactly as the provider writes it, also as to a slash at the end.")} type="url" required placeholder="https://accounts.google.com" {...form.getInputProps("issuer")} />
          <TextInput label={t("Client id")} required autoComplete="off" {...form.getInputProps("clientId")} />
          <PasswordInput
            label={t("Client secret")}
            description={sso ? t("Ends in {end}. Leave it empty to keep it.", { end: sso.clientSecret }) : undefined}
            required={!sso}
            autoComplete="off"
            visibilityToggleButtonProps={{ "aria-label": t("Show it") }}
            {...form.getInputProps("clientSecret")}
          />
          <TagsInput label={t("Addresses to come back to")} description={t("Pages of your app to which people return; Enter after each.")} placeholder={form.values.returnUrls.length ? undefined : "https://app.example.com/signed-in"} {...form.getInputProps("returnUrls")} />
          <TagsInput label={t("Only with mail of these domains")} description={t("Empty: everybody whom the provider lets in.")} placeholder={form.values.allowedDomains.length ? undefined : "example.com"} {...form.getInputProps("allowedDomains")} />
          <Switch label={t("Let in people nobody knows yet")} description={t("They are added at their first sign-in.")} {...form.getInputProps("createUnknown", { type: "checkbox" })} />
          {form.values.createUnknown && <Select label={t("With the role")} clearable clearButtonProps={{ "aria-label": t("Clear") }} data={roles.map(({ name }) => name)} {...form.getInputProps("role")} />}
          <Switch label={t("Switched on")} {...form.getInputProps("enabled", { type: "checkbox" })} />
        </>
      )}
    </Part>
  );
}
