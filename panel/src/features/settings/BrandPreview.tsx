import { SegmentedControl, useComputedColorScheme } from "@mantine/core";
import { useState, type CSSProperties } from "react";
import { HOUSE_COLOUR } from "@/components/brand/house";
import { IconActivity, IconBell, IconHome } from "@/components/ui/icons";
import { Section } from "@/components/ui/Page";
import { contrast, readable, shades } from "@/lib/colour";
import { useSession } from "@/lib/session";
import { t } from "@/lib/t";
import type { Draft } from "./Branding";

type Scheme = "light" | "dark";
const FILLED = 7;
/** As theme.ts has them. */
const GROUNDS = {
  light: { surface: "#ffffff", ground: "#f8f9fb", line: "#e4e7ec", ink: "#111827", faint: "#5c6270", chosen: "#e9ebf5", hardest: "#e4e7f0" },
  dark: { surface: "#15171c", ground: "#101216", line: "#2b2f39", ink: "#e4e6eb", faint: "#a0a7b5", chosen: "#2b2f39", hardest: "#343946" },
};
/** Of a mail without a colour, as channels/mail.py has it. */
const MAIL_COLOUR = "#1f2937";

/** What people will see, drawn from what stands in the form. */
export function BrandPreview({ draft }: { draft: Draft }) {
  const [scheme, setScheme] = useState<Scheme>(useComputedColorScheme("light"));
  const name = useSession((session) => session.me?.project.name ?? "");
  const choose = (
    <SegmentedControl
      size="xs"
      value={scheme}
      onChange={(value) => setScheme(value as Scheme)}
      aria-label={t("Colours of the preview")}
      data={[
        { value: "light", label: t("Light") },
        { value: "dark", label: t("Dark") },
      ]}
    />
  );
  const brand = { name, logo: /^https:\/\/./.test(draft.logoUrl) ? draft.logoUrl : null, colour: valid(draft.brandColor) ?? HOUSE_COLOUR };
  return (
    <div className="branding-preview">
      <Section title={t("Preview")} aside={choose}>
        <div className="preview" style={look(brand.colour, scheme)} role="group" aria-label={t("Preview")}>
          <PanelPreview {...brand} />
          <NotePreview {...brand} />
        </div>
        <MailPreview {...brand} colour={valid(draft.brandColor) ?? MAIL_COLOUR} footer={draft.emailFooter.trim()} />
      </Section>
    </div>
  );
}

interface Brand {
  name: string;
  logo: string | null;
  colour: string;
}

function PanelPreview(brand: Brand) {
  return (
    <div className="preview-panel">
      <div className="preview-head">
        <Mark {...brand} />
        <span className="brand-name">{brand.name}</span>
      </div>
      <div className="preview-body">
        <div className="preview-nav">
          <span data-chosen>
            <IconHome size={14} aria-hidden /> {t("Home")}
          </span>
          <span>
            <IconActivity size={14} aria-hidden /> {t("Events")}
          </span>
          <span>
            <IconBell size={14} aria-hidden /> {t("Notifications")}
          </span>
        </div>
        <div className="preview-page">
          <strong>{t("Rules")}</strong>
          <span className="preview-link">{t("Large orders")}</span>
          <span className="preview-button">{t("New rule")}</span>
        </div>
      </div>
    </div>
  );
}

function NotePreview(brand: Brand) {
  return (
    <div className="preview-note">
      <Mark {...brand} />
      <div>
        <strong>{t("Order A-17")}</strong>
        <div className="preview-faint">{t("1,250 EUR from Initech")}</div>
        <span className="preview-link">{t("Acknowledge")}</span>
      </div>
      <span className="preview-faint">{t("just now")}</span>
    </div>
  );
}

/** As channels/mail.py writes it: mails are light in every scheme. */
function MailPreview({ name, logo, colour, footer }: Brand & { footer: string }) {
  return (
    <div className="preview-mail" role="group" aria-label={t("Mail")}>
      {logo && <img src={logo} alt="" referrerPolicy="no-referrer" />}
      <strong>{t("Order A-17")}</strong>
      <span>{t("1,250 EUR from Initech")}</span>
      <span className="preview-button" style={{ background: colour, color: inkOn(colour) }}>
        {t("Acknowledge")}
      </span>
      <small>{name}</small>
      {footer && <small>{footer}</small>}
    </div>
  );
}

function Mark({ name, logo, colour }: Brand) {
  if (logo) return <img key={logo} src={logo} alt="" className="brand-mark" referrerPolicy="no-referrer" />;
  return (
    <span className="brand-mark" style={{ background: colour, color: inkOn(colour) }} aria-hidden>
      {name.slice(0, 1).toUpperCase()}
    </span>
  );
}

function look(colour: string, scheme: Scheme): CSSProperties {
  const { hardest, ...grounds } = GROUNDS[scheme];
  const button = shades(colour)[FILLED];
  const names = Object.entries(grounds).map(([name, value]) => [`--preview-${name}`, value]);
  return { ...Object.fromEntries(names), "--preview-button": button, "--preview-on-button": inkOn(button), "--preview-text": readable(colour, hardest) } as CSSProperties;
}

const valid = (colour: string): string | null => (/^#[0-9a-f]{6}$/i.test(colour) ? colour : null);
const inkOn = (colour: string): string => (contrast(colour, "#ffffff") >= 4.5 ? "#ffffff" : "#000000");
