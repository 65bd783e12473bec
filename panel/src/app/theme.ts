import {
  createTheme,
  type CSSVariablesResolver,
  Drawer,
  type MantineColorSchemeManager,
  type MantineColorsTuple,
  Modal,
  Notification,
} from "@mantine/core";
import { readable, shades } from "@/lib/colour";
import { keep, kept } from "@/lib/store";
import { t } from "@/lib/t";

const CLOSE = { "aria-label": t("Close") };
/** The head of a dialog is a `header`, and must not count as a second banner of the page. */
const NO_BANNER = { header: { role: "presentation" } };
const FONT = "'Inter Variable', system-ui, sans-serif";
/** The grounds on which the brand is hardest to read as text. */
const ON = { light: "#e4e7f0", dark: "#343946" };
const GROUND = { light: "#ffffff", dark: "#15171c" };

/** Cool greys, so that a project's own colour is the only one that speaks. */
const DARK: MantineColorsTuple = [
  "#e4e6eb",
  "#c3c7d0",
  "#9aa0ae",
  "#6b7280",
  "#3a3f4b",
  "#2b2f39",
  "#20232b",
  "#15171c",
  "#101216",
  "#0b0c0f",
];

/** Dark enough where it is filled for white ink, in both schemes. */
const RED: MantineColorsTuple = ["#fff5f5", "#ffe3e3", "#ffc9c9", "#ffa8a8", "#ff8787", "#ff6b6b", "#fa5252", "#c92a2a", "#b02525", "#962020"];

export function themeOf(colour: string) {
  return createTheme({
    primaryColor: "brand",
    // One for both schemes: the library works out once, for the light one, which ink can be read on it.
    primaryShade: 7,
    autoContrast: true,
    luminanceThreshold: 0.179,
    colors: { brand: shades(colour), dark: DARK, red: RED },
    fontFamily: FONT,
    fontFamilyMonospace: "ui-monospace, 'Cascadia Code', 'DejaVu Sans Mono', Menlo, monospace",
    headings: { fontFamily: FONT, fontWeight: "640" },
    defaultRadius: "md",
    cursorType: "pointer",
    respectReducedMotion: true,
    components: {
      Modal: Modal.extend({ defaultProps: { closeButtonProps: CLOSE, attributes: NO_BANNER, radius: "lg" } }),
      Drawer: Drawer.extend({ defaultProps: { closeButtonProps: CLOSE, attributes: NO_BANNER } }),
      Notification: Notification.extend({ defaultProps: { closeButtonProps: CLOSE } }),
    },
  });
}

/** Texts that the library makes too faint for WCAG AA, and the brand where it is text. */
export function variablesOf(colour: string): CSSVariablesResolver {
  return () => ({
    variables: {},
    light: {
      "--mantine-color-dimmed": "#5c6270",
      "--mantine-color-placeholder": "#6b7280",
      "--mantine-color-error": "#c0222b",
      "--mantine-color-anchor": readable(colour, ON.light),
      "--mantine-color-brand-text": readable(colour, ON.light),
      "--mantine-color-brand-light-color": readable(colour, ON.light),
      "--panel-ground": "#f8f9fb",
      "--panel-surface": GROUND.light,
      "--panel-line": "#e4e7ec",
      "--panel-brand": readable(colour, ON.light),
    },
    dark: {
      "--mantine-color-dimmed": "#a0a7b5",
      "--mantine-color-placeholder": "#8d94a3",
      "--mantine-color-error": "#ff8a8a",
      "--mantine-color-anchor": readable(colour, ON.dark),
      "--mantine-color-brand-text": readable(colour, ON.dark),
      "--mantine-color-brand-light-color": readable(colour, ON.dark),
      "--panel-ground": "#101216",
      "--panel-surface": GROUND.dark,
      "--panel-line": "#2b2f39",
      "--panel-brand": readable(colour, ON.dark),
    },
  });
}

/** Where the choice is kept, under the name that `early.js` reads. */
export const schemes: MantineColorSchemeManager = {
  get: (fallback) => (kept("scheme") as "light" | "dark" | "auto" | null) ?? fallback,
  set: (value) => keep("scheme", value),
  subscribe: () => {},
  unsubscribe: () => {},
  clear: () => keep("scheme", null),
};
