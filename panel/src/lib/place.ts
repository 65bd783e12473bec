/** Which panel this page is: a project's, the platform's, or a project's that an admin of the platform visits. */
const VISIT = /^\/platform\/visit\/([0-9a-f-]{36})(?=\/|$)/;
const path = globalThis.location?.pathname ?? "/panel/";

export const visitId = VISIT.exec(path)?.[1] ?? null;
export const ofPlatform = path.startsWith("/platform/");
/** What every address of the project's panel begins with. */
export const base = visitId ? `/platform/visit/${visitId}` : "/panel";

/** The name under which this panel keeps something that the other one must not find: who is signed in. */
export const own = (name: string): string => (ofPlatform ? `platform.${name}` : name);
