/** Letters that are with the mail server, and the answers that came and wait to be recorded. */
export type Flight<Answer> = {
  start(letter: Promise<Answer>): void;
  /** How many have not been answered yet. */
  inAir(): number;
  /** How many answers have come and were not taken. */
  landed(): number;
  /** Takes the answers that have come. */
  land(): Answer[];
  /** Waits for an answer, if one is to come, and then up to `milliseconds` for the others, or until they are `enough`. */
  answer(milliseconds: number, enough?: () => boolean): Promise<void>;
  /** Waits for every answer. */
  over(): Promise<void>;
};

export function startFlight<Answer>(): Flight<Answer> {
  let inAir = 0;
  let landed: Answer[] = [];
  let onAnswer = () => {};
  const next = () =>
    new Promise<void>((resolve) => {
      onAnswer = resolve;
    });
  return {
    start(letter) {
      inAir += 1;
      void letter.then((answer) => {
        inAir -= 1;
        landed.push(answer);
        onAnswer();
      });
    },
    inAir: () => inAir,
    landed: () => landed.length,
    land() {
      const all = landed;
      landed = [];
      return all;
    },
    async answer(milliseconds, enough = () => false) {
      if (inAir > 0 && landed.length === 0) await next();
      let isLate = false;
      const timer = setTimeout(() => {
        isLate = true;
        onAnswer();
      }, milliseconds);
      while (!isLate && inAir > 0 && !enough()) await next();
      clearTimeout(timer);
    },
    async over() {
      while (inAir > 0) await next();
    },
  };
}
