import { boot, type Branding } from "@/lib/boot";
import { visitId } from "@/lib/place";
import { useSession } from "@/lib/session";
import { keep, kept } from "@/lib/store";
import { HOUSE_COLOUR } from "./house";

interface Brand {
  name: string;
  branding: Branding;
}

const HOUSE: Brand = { name: "Tocsin", branding: {} };

/** Whose panel this is: the session's project, else that of the address, else whoever was here before. */
export function useBrand(): Brand {
  const project = useSession((session) => session.me?.project);
  if (project) {
    const brand = { name: project.name, branding: project.branding as Branding };
    if (!visitId) keep("brand", JSON.stringify(brand));
    return brand;
  }
  return boot.project ?? remembered() ?? HOUSE;
}

export function useColour(): string {
  const colour = useBrand().branding.brandColor ?? HOUSE_COLOUR;
  return /^#[0-9a-f]{6}$/i.test(colour) ? colour : HOUSE_COLOUR;
}

/** Until the session is back, the screen looks as it did. */
function remembered(): Brand | null {
  const text = !visitId && kept("refresh") ? kept("brand") : null;
  try {
    return text ? (JSON.parse(text) as Brand) : null;
  } catch {
    return null;
  }
}
