/**
 * Text with spaces after it, so that its length in bytes (UTF-8) is a whole number of steps: what is encrypted shows how
 * long it is, and that narrows down whose it can be. For what does not end in a space of its own, such as JSON.
 */
export function padded(text: string, step: number): string {
  const bytes = Buffer.byteLength(text);
  return text + ' '.repeat(Math.ceil(bytes / step) * step - bytes);
}
