/** A server as its answer to EHLO describes it (RFC 5321 section 4.1.1.1). */
export type Server = {
  /** The name that it gave itself, or the one that we called. */
  host: string;
  pipelining: boolean;
  dsn: boolean;
  /** How long a message may be, in bytes (RFC 1870); Infinity: any length; undefined: it does not want to be told. */
  size: number | undefined;
};

/** @param called the name under which it was called */
export function readServer(ehlo: string, called: string): Server {
  const [first = '', ...offers] = ehlo.split(/\r?\n/);
  const offered = new Map(
    offers.map((line) => {
      const [keyword = '', parameter] = line.slice(4).trim().split(/\s+/);
      return [keyword.toUpperCase(), parameter];
    }),
  );
  return {
    host: /^250[ -]([A-Za-z0-9.[\]:-]{1,200})/.exec(first)?.[1] ?? called,
    pipelining: offered.has('PIPELINING'),
    dsn: offered.has('DSN'),
    size: offered.has('SIZE') ? Number(offered.get('SIZE')) || Number.POSITIVE_INFINITY : undefined,
  };
}
