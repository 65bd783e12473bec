import { useEffect } from "react";
import { visitId } from "@/lib/place";
import { useSession } from "@/lib/session";
import { renew } from "./push";

/** Keeps what the server knows of this browser true. */
export function usePushHere(): void {
  const user = useSession((session) => session.me?.user.id);
  useEffect(() => {
    if (user && !visitId) renew(user).catch(() => {}); // at the next start
  }, [user]);
}
