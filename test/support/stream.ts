export type StreamEvent = { event: string; data: string };

export type Stream = {
  status: number;
  headers: Headers;
  /** What has arrived so far. */
  events: StreamEvent[];
  /** Resolves when the server has ended the stream. */
  ended: Promise<void>;
  close(): void;
};

/** Listens to server-sent events (HTML standard, section 9.2) as a browser's EventSource does. */
export async function openStream(url: string, headers: Record<string, string> = {}): Promise<Stream> {
  const leaving = new AbortController();
  const response = await fetch(url, {
    signal: leaving.signal,
    headers: { accept: 'text/event-stream', ...headers },
  });
  const events: StreamEvent[] = [];
  return {
    status: response.status,
    headers: response.headers,
    events,
    ended: read(response, events).catch(() => {}),
    close: () => leaving.abort(),
  };
}

async function read(response: Response, events: StreamEvent[]): Promise<void> {
  const decoder = new TextDecoder();
  let text = '';
  for await (const chunk of response.body ?? []) {
    text += decoder.decode(chunk, { stream: true });
    const blocks = text.split('\n\n');
    text = blocks.pop() ?? '';
    for (const block of blocks) {
      const lines = block.split('\n');
      const event = lines.find((line) => line.startsWith('event: '))?.slice(7);
      const data = lines.filter((line) => line.startsWith('data: ')).map((line) => line.slice(6));
      if (event) events.push({ event, data: data.join('\n') });
    }
  }
}
