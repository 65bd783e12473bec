import { notifications } from "@mantine/notifications";
import { asProblem } from "@/lib/problem";
import { t } from "@/lib/t";
import { ofPlan, titleOf, WayOut } from "./NoRoom";

export function tell(message: string): void {
  notifications.show({ message, color: "teal", autoClose: 4_000 });
}

/** Something that was done and is probably meant otherwise. Stays until it is closed. */
export function warn(message: string): void {
  notifications.show({ message, color: "yellow", autoClose: false });
}

/** What an action met with, where no form is there to show it. Stays until it is closed. */
export function tellProblem(error: unknown): void {
  const problem = asProblem(error);
  if (ofPlan(problem)) {
    notifications.show({ title: titleOf(problem), message: <WayOut problem={problem} />, color: "yellow", autoClose: false, role: "alert" });
    return;
  }
  const trace = problem.requestId ? ` (${t("request")} ${problem.requestId})` : "";
  notifications.show({ message: problem.message + trace, color: "red", autoClose: false, role: "alert" });
}
