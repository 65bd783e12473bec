import { useEffect } from "react";
import { useBrand } from "./brand";

/** What a brand has beside its colour: the picture in the browser's tab, and rules for `.brand-…`, which the server checked. */
export function useLook(): void {
  const { branding } = useBrand();
  const { favicon, customCss } = branding;
  useEffect(() => {
    const link = document.querySelector<HTMLLinkElement>("link[rel=icon]");
    if (!link || !favicon) return;
    const before = link.href;
    link.href = favicon;
    return () => {
      link.href = before;
    };
  }, [favicon]);
  useEffect(() => {
    if (!customCss) return;
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(customCss);
    document.adoptedStyleSheets.push(sheet);
    return () => {
      document.adoptedStyleSheets = document.adoptedStyleSheets.filter((each) => each !== sheet);
    };
  }, [customCss]);
}
