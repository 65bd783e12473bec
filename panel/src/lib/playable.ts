/** Where this page may play a sound: addresses begin with the installation's, which may be open under another name. */
export function playable(url: string): string {
  return new URL(url, location.href).pathname;
}
