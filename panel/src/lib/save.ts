/** Hands over a file that a call has answered: a link cannot bring the session along. */
export function saveAs(file: Blob, name: string): void {
  const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(file), download: name });
  link.click();
  URL.revokeObjectURL(link.href);
}
