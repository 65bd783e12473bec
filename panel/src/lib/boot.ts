/** What the server writes into the page, so that the first paint already knows whose panel this is. */
export interface Boot {
  version: string;
  signup: "open" | "invite" | "closed";
  project: { slug: string; name: string; branding: Branding } | null;
}

export interface Branding {
  logoUrl?: string | null;
  favicon?: string | null;
  brandColor?: string | null;
  accent?: string | null;
  customCss?: string | null;
}

const NOTHING: Boot = { version: "", signup: "open", project: null };

export const boot: Boot = { ...NOTHING, ...read() };

function read(): Partial<Boot> {
  const text = globalThis.document?.getElementById("boot")?.textContent;
  return text ? (JSON.parse(text) as Partial<Boot>) : {};
}
