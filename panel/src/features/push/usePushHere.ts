import { useEffect } from "react";
import { useEnv } from "@/lib/env";
import { visitId } from "@/lib/place";
import { useSession } from "@/lib/session";
import { renew } from "./push";

/** Keeps what the server knows of this browser true; from the other environment nothing can be said. */
export function usePushHere(): void {
  const user = useSession((session) => session.me?.user);
  const { env } = useEnv();
  useEffect(() => {
    if (user && user.env === env && !visitId) renew(user.id).catch(() => {}); // at the next start
  }, [user, env]);
}
