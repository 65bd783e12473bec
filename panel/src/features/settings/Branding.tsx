import { Alert, ColorInput, Text, Textarea, TextInput } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { HOUSE_COLOUR } from "@/components/brand/house";
import { IconAlert } from "@/components/ui/icons";
import { Loaded } from "@/components/ui/Loaded";
import { answered, api, type Schemas } from "@/lib/api";
import { contrast, READABLE } from "@/lib/colour";
import { reread } from "@/lib/session";
import { t } from "@/lib/t";
import { BrandPreview } from "./BrandPreview";
import { Part } from "./Part";

type Kept = Schemas["BrandingAnswer"];
export type Draft = Record<"brandColor" | "accent" | "logoUrl" | "favicon" | "emailFooter" | "customCss", string>;

const SWATCHES = ["#3B4CCA", "#0F7B6C", "#C2410C", "#B4235A", "#7A3FF2", "#1A73E8", "#2D7D32", "#111827"];

export function Branding() {
  const branding = useQuery({
    queryKey: ["project", "branding"],
    queryFn: ({ signal }) => answered(api.GET("/api/v1/projects/me/branding", { signal })),
  });
  return <Loaded query={branding}>{(kept) => <Editor kept={kept} />}</Loaded>;
}

function Editor({ kept }: { kept: Kept }) {
  const initial = drafted(kept);
  const [draft, setDraft] = useState(initial);
  const save = async (values: Draft) => {
    const body = Object.fromEntries(Object.entries(values).map(([name, value]) => [name, value || null]));
    await answered(api.PUT("/api/v1/projects/me/branding", { body }));
    await reread();
  };
  return (
    <div className="branding-grid">
      <Part title={t("Look")} initial={initial} save={save}>
        {(form) => <Fields form={form} show={setDraft} />}
      </Part>
      <BrandPreview draft={draft} />
    </div>
  );
}

type Form = Parameters<Parameters<typeof Part<Draft>>[0]["children"]>[0];

function Fields({ form, show }: { form: Form; show: (draft: Draft) => void }) {
  const field = (name: keyof Draft) => {
    const { onChange, ...rest } = form.getInputProps(name);
    const change = (value: string) => {
      onChange(value);
      show({ ...form.getValues(), [name]: value });
    };
    return { ...rest, change };
  };
  const text = (name: keyof Draft) => {
    const { change, ...rest } = field(name);
    return { ...rest, onChange: ({ currentTarget }: { currentTarget: { value: string } }) => change(currentTarget.value) };
  };
  const colour = (name: keyof Draft) => {
    const { change, ...rest } = field(name);
    return { ...rest, onChange: change };
  };
  const picker = { swatches: SWATCHES, eyeDropperButtonProps: { "aria-label": t("Pick from the screen") } };
  return (
    <>
      <ColorInput label={t("Colour")} placeholder={HOUSE_COLOUR} {...picker} {...colour("brandColor")} />
      <Faint colour={form.values.brandColor} />
      <TextInput label={t("Logo")} description={t("An https address of a square picture.")} type="url" placeholder="https://cdn.example.com/logo.png" {...text("logoUrl")} />
      <TextInput label={t("Picture of the browser's tab")} description={t("An https address; 32 × 32 points are enough.")} type="url" placeholder="https://cdn.example.com/icon.png" {...text("favicon")} />
      <Textarea label={t("End of every mail")} description={t("Your address, a sentence on who writes, and why.")} autosize minRows={2} maxRows={6} {...text("emailFooter")} />
      <ColorInput label={t("Second colour")} description={t("For your own pages that read it over the API. The panel does without.")} {...picker} {...colour("accent")} />
      <Textarea label={t("Style sheet")} description={t("Rules for .brand-name and .brand-mark. The server says which properties it takes.")} placeholder=".brand-name { letter-spacing: 0.02em }" autosize minRows={2} maxRows={12} spellCheck={false} classNames={{ input: "mono" }} {...text("customCss")} />
    </>
  );
}

/** Yellow on white cannot be read; the panel then takes a darker shade of it for text. */
function Faint({ colour }: { colour: string }) {
  if (!/^#[0-9a-f]{6}$/i.test(colour) || contrast(colour, "#ffffff") >= READABLE) return null;
  return (
    <Alert className="notice" icon={<IconAlert aria-hidden />} color="yellow" role="status">
      <Text size="sm">{t("Too light for text on white. Texts and links get a darker shade of it, as the preview shows.")}</Text>
    </Alert>
  );
}

function drafted(kept: Kept): Draft {
  return {
    brandColor: kept.brandColor ?? "",
    accent: kept.accent ?? "",
    logoUrl: kept.logoUrl ?? "",
    favicon: kept.favicon ?? "",
    emailFooter: kept.emailFooter ?? "",
    customCss: kept.customCss ?? "",
  };
}
