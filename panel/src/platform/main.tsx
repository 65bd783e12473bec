import "@mantine/core/styles.layer.css";
import "@mantine/notifications/styles.layer.css";
import "@mantine/spotlight/styles.layer.css";
import "@fontsource-variable/inter/wght.css";
import "@/app/panel.css";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { resume } from "@/lib/session";
import { App } from "./App";

void resume();
createRoot(document.getElementById("root")!).render(
  <StrictMode>
    <App />
  </StrictMode>,
);
