import "@mantine/core/styles.layer.css";
import "@mantine/notifications/styles.layer.css";
import "@mantine/spotlight/styles.layer.css";
import "@fontsource-variable/inter/wght.css";
import "./panel.css";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { onOpened } from "@/features/push/browser";
import { endWithSession } from "@/features/push/push";
import { follow } from "@/lib/env";
import { resume } from "@/lib/session";
import { App } from "./App";
import { router } from "./routes";

endWithSession();
follow(location.href);
void resume();
onOpened((path) => {
  follow(path);
  void router.navigate(path);
});
createRoot(document.getElementById("root")!).render(
  <StrictMode>
    <App />
  </StrictMode>,
);
