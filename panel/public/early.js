// Runs before anything is painted, so that neither the colour scheme nor the brand flashes.
(() => {
  const root = document.documentElement;
  try {
    const chosen = localStorage.getItem("tocsin.scheme");
    const dark = chosen === "dark" || (chosen !== "light" && matchMedia("(prefers-color-scheme: dark)").matches);
    root.setAttribute("data-mantine-color-scheme", dark ? "dark" : "light");
  } catch {
    root.setAttribute("data-mantine-color-scheme", "light");
  }
})();
