/** A request that is answered with an error page: the status, and which `fault` of the locale files says why. */
export class Refusal extends Error {
  readonly status: number;
  readonly fault: Fault;

  constructor(status: number, fault: Fault) {
    super(fault);
    this.status = status;
    this.fault = fault;
  }
}

export type Fault =
  | 'notFound'
  | 'incomplete'
  | 'forbidden'
  | 'tooLarge'
  | 'mediaType'
  | 'badRequest'
  | 'tooMany'
  | 'usedUp'
  | 'broken'
  | 'away';
