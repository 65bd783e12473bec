/** Browser storage that may be full, forbidden or emptied; then things are forgotten and nothing breaks. */
export function keep(name: string, value: string | null): void {
  try {
    if (value === null) localStorage.removeItem(`tocsin.${name}`);
    else localStorage.setItem(`tocsin.${name}`, value);
  } catch {
    // Private windows refuse; the session then ends with the tab.
  }
}

export function kept(name: string): string | null {
  try {
    return localStorage.getItem(`tocsin.${name}`);
  } catch {
    return null;
  }
}
