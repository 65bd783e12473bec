import { useSession } from "@/lib/session";

/** Whoever is signed in; for pages that nobody else sees. */
export const useMe = () => useSession((session) => session.me!.user);

/** The path parameter of calls about oneself. */
export const of = (id: string) => ({ params: { path: { user_id: id } } });
