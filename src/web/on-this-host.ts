/** A path that leads to this host: one that begins with two slashes, of which browsers take a backslash for one, does not. */
export function onThisHost(path: string): string {
  return path.replace(/^[/\\]+/, '/');
}
