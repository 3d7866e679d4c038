import { afterEach, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { type Air, createAir as createAirOf, type Lane } from '../../src/letters/air.ts';
import { after as momentIn, type Outgoing, type Until } from '../../src/letters/lane.ts';
import type { Outcome } from '../../src/mail/outcome.ts';
import type { Next, Sending } from '../../src/mail/transaction.ts';
import { until } from '../support/advocate.ts';

/** Long enough for everybody who was answered to have heard it. */
const aTurn = () => new Promise((resolve) => setImmediate(resolve));

/** Nobody here waits for so long. */
const muchLater = () => momentIn(3_600_000);
const lateBySteadyClock = () => ({ steady: performance.now() - 1, wall: Date.now() + 60_000 });
const lateByWallClock = () => ({ steady: performance.now() + 60_000, wall: Date.now() - 1 });
const isLate = ({ steady, wall }: Until) => performance.now() >= steady || Date.now() >= wall;

const accepted: Outcome = { kind: 'accepted', code: 250, response: '250 taken', host: 'mx.brand.example' };
const refused: Outcome = { kind: 'refused', code: 550, response: '550 no', host: 'mx.brand.example' };

/** What is said on one connection: it goes on when the test says so. */
type Conversation = {
  lane: Lane;
  current: Sending;
  next: Next;
  behind: Sending | undefined;
  over(): void;
  fail(error: Error): void;
};
const conversations: Conversation[] = [];
const lanes = new Map<Sending['envelope'], Lane>();

/** A mail server that says nothing unless the test says it. */
async function converse(first: Sending, next: Next): Promise<void> {
  if (!first.leaves()) return;
  await new Promise<void>((over, fail) => {
    const lane = lanes.get(first.envelope) as Lane;
    conversations.push({ lane, current: first, next, behind: undefined, over, fail });
  });
}
const createAir = (room: number, mostAhead: number) => createAirOf({ converse }, room, mostAhead);

/** What is said with the letter of this lane that has been out for the longest. */
function saidOf(lane: Lane): Conversation {
  const found = conversations.find((one) => one.lane === lane);
  if (!found) throw new Error('no letter of this lane is out');
  return found;
}

/** The server answers, and whoever was announced behind it leaves, if it may. */
function answer(conversation: Conversation, isTaken: boolean): void {
  const { current, behind } = conversation;
  current.came(isTaken ? accepted : refused);
  conversations.splice(conversations.indexOf(conversation), 1);
  if (isTaken && behind?.leaves()) {
    conversations.push({ ...conversation, current: behind, behind: undefined });
  } else conversation.over();
}
const leave = (lane: Lane, isTaken: boolean) => answer(saidOf(lane), isTaken);

/** The next of its lane is announced behind it. */
function announceBehind(conversation: Conversation): Sending | undefined {
  conversation.behind ??= conversation.next();
  return conversation.behind;
}

const envelope = { from: 'b.1@outspoken.example', to: 'human-rights@hm.example' };

/** A letter that leaves whenever it may. */
function plain(lane?: Lane): Outgoing {
  const own = { ...envelope };
  if (lane) lanes.set(own, lane);
  return { envelope: own, message: '', leaves: () => true, came: () => {}, failed: () => {} };
}

/** @returns true once it left, false once it is sure that it does not */
function enter(lane: Lane, until: Until, onLeave = () => {}): Promise<boolean> {
  return new Promise((tell) => {
    const leaves = () => {
      onLeave();
      tell(true);
      return true;
    };
    void lane.send({ ...plain(lane), leaves }, until).then(() => tell(false));
  });
}

const opened: Lane[] = [];
afterEach(() => {
  for (const lane of opened.splice(0)) lane.turnBack(); // or their timers keep the process
  conversations.splice(0);
  lanes.clear();
});
function openLane(air: Air, isOfFew = false): Lane {
  const lane = air.lane(isOfFew);
  opened.push(lane);
  return lane;
}

/** Letters that note, in `heard`, what they were told, in the order in which they were. */
function letters() {
  const heard: string[] = [];
  const come = async (lane: Lane, name: string, until = muchLater()) => {
    const isIn = await enter(lane, until);
    heard.push(isIn ? name : `not ${name}`);
    return isIn;
  };
  return { heard, come };
}

/** An air with room for one, which one has, and who that is. */
async function fullAir() {
  const air = createAir(1, 0);
  const first = openLane(air);
  expect(await enter(first, muchLater())).toBe(true);
  return { air, makeRoom: () => answer(conversations[0] as Conversation, false) };
}

/** Lets those in who wait, one after the other, until nobody does. */
async function letAllPass({ makeRoom }: { makeRoom: () => void }, heard: string[], all: number) {
  while (heard.length < all) {
    const before = heard.length;
    makeRoom();
    await aTurn();
    expect(heard.length).toBe(before + 1);
  }
}

const onLane = { lane: fc.nat(3) };
const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('enter' as const), ...onLane }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('enter late' as const), ...onLane }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('leave' as const), ...onLane }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('announce' as const), ...onLane }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('pause' as const), ...onLane }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('resume' as const), ...onLane }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('turn back' as const), ...onLane }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('close' as const), ...onLane }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('let them hear' as const), ...onLane }) },
);

describe('letters in the air', () => {
  it('are never more than there is room for, none waits beside free room, and all are answered in the end', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 4 }),
        fc.array(fc.boolean(), { minLength: 4, maxLength: 4 }),
        fc.array(step, { maxLength: 60 }),
        async (room, areOfFew, steps) => {
          const air = createAir(room, 3);
          const lanes = areOfFew.map((isOfFew) => {
            return { ...openLane(air, isOfFew), pauses: 0, isOver: false };
          });
          const wrong: string[] = [];
          let [entered, answered] = [0, 0];
          const come = async (lane: (typeof lanes)[number], until: Until) => {
            const mayNot = lane.isOver || isLate(until);
            entered += 1;
            await enter(lane, until, () => {
              if (mayNot || lane.isOver) wrong.push('one left that was turned back, or late');
              if (lane.isPaused()) wrong.push('one left while its lane was paused');
              if (conversations.length >= room) wrong.push('one left and there was no room');
            });
            answered += 1;
          };
          const all: Promise<void>[] = [];
          const announced = (lane: Lane) =>
            conversations.filter((one) => one.lane === lane && one.behind).length;
          const letThemHear = async () => {
            await aTurn();
            expect(wrong).toEqual([]);
            const waiting = lanes.filter((lane) => !lane.isPaused() && lane.waiting() > announced(lane));
            if (conversations.length < room) expect(waiting).toEqual([]);
          };
          for (const { do: what, lane: n } of steps) {
            const lane = lanes[n]!;
            if (what === 'enter') all.push(come(lane, muchLater()));
            if (what === 'enter late') all.push(come(lane, n < 2 ? lateBySteadyClock() : lateByWallClock()));
            const [longest] = conversations;
            if (what === 'leave' && longest) answer(longest, n < 3);
            if (what === 'announce' && longest) announceBehind(longest);
            if (what === 'pause') lane.pause();
            if (what === 'pause') lane.pauses += 1;
            if (what === 'resume') lane.resume(Math.min(lane.pauses, n));
            if (what === 'resume') lane.pauses -= Math.min(lane.pauses, n);
            if (what === 'turn back') lane.turnBack();
            if (what === 'close' && !lane.isOver) lane.close();
            if (what === 'turn back' || what === 'close') lane.isOver = true;
            expect(lane.isPaused()).toBe(lane.pauses > 0);
            if (what === 'let them hear') await letThemHear();
          }
          for (const lane of lanes) lane.resume(lane.pauses);
          await letThemHear();
          for (let one = conversations[0]; one; one = conversations[0]) {
            answer(one, true);
            await letThemHear();
          }
          expect(answered).toBe(entered);
          await Promise.all(all);
        },
      ),
      { numRuns: 200 },
    );
  });

  it('leave at once while there is room, and as soon as there is some again', async () => {
    const air = createAir(2, 0);
    const [one, other] = [openLane(air), openLane(air)];
    const { heard, come } = letters();
    const all = [come(one, 'a'), come(other, 'b'), come(one, 'c'), come(other, 'd')];
    await aTurn();
    expect(heard).toEqual(['a', 'b']);
    expect([one.waiting(), other.waiting()]).toEqual([1, 1]);
    leave(other, true);
    await aTurn();
    expect(heard).toEqual(['a', 'b', 'c']);
    leave(one, false);
    await Promise.all(all);
    expect(heard).toEqual(['a', 'b', 'c', 'd']);
    expect([one.waiting(), other.waiting()]).toEqual([0, 0]);
  });

  it('leave lane by lane as these came, and in a lane in the order in which they came themselves', async () => {
    const full = await fullAir();
    const [first, second] = [openLane(full.air), openLane(full.air)];
    const { heard, come } = letters();
    for (const n of [1, 2]) {
      void come(second, `second ${n}`);
      void come(first, `first ${n}`);
    }
    await letAllPass(full, heard, 4);
    expect(heard).toEqual(['first 1', 'first 2', 'second 1', 'second 2']);
  });

  it('go first where they are few, although others wait, and those in the order of their lanes, too', async () => {
    const full = await fullAir();
    const [launch, few, alsoFew] = [openLane(full.air), openLane(full.air, true), openLane(full.air, true)];
    const { heard, come } = letters();
    void come(launch, 'of many');
    void come(launch, 'another of many');
    void come(alsoFew, 'also of few');
    void come(few, 'of few');
    await letAllPass(full, heard, 4);
    expect(heard).toEqual(['of few', 'also of few', 'of many', 'another of many']);
  });

  it('stay while their lane is paused, until as many pauses are over as there were, and others go on', async () => {
    const full = await fullAir();
    const [paused, other] = [openLane(full.air, true), openLane(full.air)];
    const { heard, come } = letters();
    void come(paused, 'paused');
    for (let pauses = 0; pauses < 3; pauses += 1) paused.pause();
    void come(other, 'other');
    full.makeRoom();
    await aTurn();
    expect(heard).toEqual(['other']);
    leave(other, true);
    paused.resume(2);
    void come(other, 'other again');
    await aTurn();
    expect(heard).toEqual(['other', 'other again']);
    leave(other, true);
    expect([paused.isPaused(), paused.waiting()]).toEqual([true, 1]);
    paused.resume(0);
    expect([paused.isPaused(), paused.waiting()]).toEqual([true, 1]);
    paused.resume(1);
    await aTurn();
    expect(heard).toEqual(['other', 'other again', 'paused']);
    expect([paused.isPaused(), other.isPaused()]).toEqual([false, false]);
  });

  it('do not leave once their lane was turned back: neither those that wait, nor those that come later', async () => {
    const full = await fullAir();
    const [turnedBack, other] = [openLane(full.air, true), openLane(full.air)];
    const { heard, come } = letters();
    const waiting = [come(turnedBack, 'a'), come(turnedBack, 'b'), come(other, 'other')];
    turnedBack.turnBack();
    expect([turnedBack.waiting(), other.waiting()]).toEqual([0, 1]);
    await come(turnedBack, 'late');
    expect(heard).toEqual(['not a', 'not b', 'not late']);
    full.makeRoom();
    await Promise.all(waiting);
    leave(other, true);
    expect(await enter(turnedBack, muchLater())).toBe(false); // although there is room
    expect(await enter(other, muchLater())).toBe(true);
  });

  it('do not leave once their lane was closed, which is of no matter to other lanes', async () => {
    const full = await fullAir();
    const [before, closed, behind] = [openLane(full.air), openLane(full.air), openLane(full.air)];
    const { heard, come } = letters();
    void come(closed, 'closed');
    void come(behind, 'behind');
    void come(before, 'before');
    closed.close();
    void come(closed, 'closed again');
    await aTurn();
    expect(heard).toEqual(['not closed', 'not closed again']);
    await letAllPass(full, heard, 4);
    expect(heard.slice(2)).toEqual(['before', 'behind']);
  });

  it('make room for others though their lane was closed while they were in the air', async () => {
    const air = createAir(1, 0);
    const [closed, other] = [openLane(air), openLane(air)];
    expect(await enter(closed, muchLater())).toBe(true);
    const entered = enter(other, muchLater());
    closed.close();
    expect(other.waiting()).toBe(1);
    leave(closed, true);
    expect(await entered).toBe(true);
  });
});

describe('a letter that is not to leave any more after a moment', () => {
  it('is told so when the moment is over, though nobody makes room, and those who have time wait on', async () => {
    const { air, makeRoom } = await fullAir();
    const lane = openLane(air);
    const moments = [20, 20, 60, 90].map(momentIn);
    const told = moments.map(async (moment) => {
      expect(await enter(lane, moment)).toBe(false);
      expect(isLate(moment)).toBe(true); // and not before
    });
    const patient = enter(lane, muchLater());
    await Promise.all(told);
    expect(lane.waiting()).toBe(1);
    makeRoom();
    expect(await patient).toBe(true);
  });

  it('is told so, too, if others had left before it from the same lane', async () => {
    const { air, makeRoom } = await fullAir();
    const lane = openLane(air);
    const entered = enter(lane, muchLater());
    makeRoom();
    expect(await entered).toBe(true);
    expect(await enter(lane, momentIn(20))).toBe(false);
    expect(await enter(lane, momentIn(20))).toBe(false);
  });

  it('is told so, too, if its moment comes just while others are told', async () => {
    const lane = openLane(createAir(0, 0));
    const [all, begin] = [100_000, performance.now() + 300];
    let told = 0;
    for (let n = 0; n < all; n += 1)
      void enter(lane, { ...muchLater(), steady: begin + (300 * n) / all }).then(() => {
        told += 1;
      });
    await until(async () => lane.waiting() === 0);
    await aTurn();
    expect(told).toBe(all);
  });

  it('is told so, too, if it waits behind one that has more time', async () => {
    const { air } = await fullAir();
    const lane = openLane(air);
    const patient = enter(lane, muchLater());
    const told: boolean[] = [];
    void enter(lane, momentIn(20)).then((isIn) => told.push(isIn));
    await until(async () => told.length > 0, 'an answer', 10_000);
    expect([told, lane.waiting()]).toEqual([[false], 1]);
    lane.turnBack();
    expect(await patient).toBe(false);
  });

  it('is told so while its lane is paused', async () => {
    const lane = openLane(createAir(1, 0));
    lane.pause();
    expect(await enter(lane, momentIn(20))).toBe(false);
  });

  it.each([
    ['the clock that nobody sets', lateBySteadyClock],
    ['the clock that goes on while the machine is asleep', lateByWallClock],
  ])('does not leave, though there is room, if it is over by %s', async (_, late) => {
    const lane = openLane(createAir(1, 0));
    expect(await enter(lane, late())).toBe(false);
    expect(await enter(lane, muchLater())).toBe(true); // the room is still there
  });

  it.each([
    ['the clock that nobody sets', lateBySteadyClock],
    ['the clock that goes on while the machine is asleep', lateByWallClock],
  ])('does not hold up those behind it when it is over by %s', async (_, late) => {
    const { air, makeRoom } = await fullAir();
    const lane = openLane(air);
    const { heard, come } = letters();
    const all = [come(lane, 'a', late()), come(lane, 'b', late()), come(lane, 'c')];
    makeRoom();
    await Promise.all(all);
    expect(heard.sort()).toEqual(['c', 'not a', 'not b']);
  });

  it('has a moment that is so far away by both clocks', () => {
    const [steady, wall] = [performance.now(), Date.now()];
    const moment = momentIn(60_000);
    expect(moment.steady).toBeGreaterThanOrEqual(steady + 60_000);
    expect(moment.steady).toBeLessThanOrEqual(performance.now() + 60_000);
    expect(moment.wall).toBeGreaterThanOrEqual(wall + 60_000);
    expect(moment.wall).toBeLessThanOrEqual(Date.now() + 60_000);
  });
});

describe('letters that may be claimed ahead', () => {
  const lately = 250;

  /** How many there are after these answers. If it took too long to give them, they are given anew. */
  async function aheadAfter(mostAhead: number, answers: boolean[]): Promise<number> {
    for (;;) {
      const began = performance.now();
      const air = createAir(answers.length, mostAhead);
      const lane = openLane(air);
      for (const _ of answers) expect(await enter(lane, muchLater())).toBe(true);
      for (const isTaken of answers) leave(lane, isTaken);
      const ahead = air.ahead();
      if (performance.now() - began < lately) return ahead;
    }
  }

  it('are none at first, and none where none are wanted', async () => {
    expect(createAir(10, 10).ahead()).toBe(0);
    expect(createAir(10, 0).ahead()).toBe(0);
    expect(await aheadAfter(0, [true, true, true])).toBe(0);
  });

  it('are as many as were taken, and not those that were refused', async () => {
    expect(await aheadAfter(10, [true, false, true, true, false])).toBe(3);
    expect(await aheadAfter(10, [false, false])).toBe(0);
  });

  it('are so many at most', async () => {
    expect(await aheadAfter(3, [true, true, true])).toBe(3);
    expect(await aheadAfter(3, [true, true, true, true, true])).toBe(3);
    expect(await aheadAfter(3, [true, true, true, true, false, false, false])).toBe(3);
    expect(await aheadAfter(1, [true, true])).toBe(1);
  });

  it('are those alone that were taken in the last quarter of a second', async () => {
    const air = createAir(1, 1000);
    const lane = openLane(air);
    const taken: { begun: number; done: number }[] = [];
    const look = () => {
      const begun = performance.now();
      const ahead = air.ahead();
      const done = performance.now();
      // a slow machine may stand still between any two of these lines
      expect(ahead).toBeGreaterThanOrEqual(taken.filter((one) => one.begun > done - lately).length);
      expect(ahead).toBeLessThanOrEqual(taken.filter((one) => one.done > begun - lately).length);
      return ahead;
    };
    const began = performance.now();
    while (performance.now() - began < 2 * lately) {
      expect(await enter(lane, muchLater())).toBe(true);
      const begun = performance.now();
      leave(lane, true);
      taken.push({ begun, done: performance.now() });
      look();
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    await until(async () => look() === 0);
    expect(performance.now() - taken.at(-1)!.begun).toBeGreaterThanOrEqual(lately);
  });

  it('are fewer again once others than the last ones were taken too long ago', async () => {
    const air = createAir(1, 3);
    const lane = openLane(air);
    const take = async () => {
      expect(await enter(lane, muchLater())).toBe(true);
      leave(lane, true);
    };
    for (let n = 0; n < 3; n += 1) await take();
    await until(async () => air.ahead() === 0);
    for (let hasOne = false; !hasOne; ) {
      await until(async () => air.ahead() === 0);
      const began = performance.now();
      await take();
      const ahead = air.ahead();
      hasOne = performance.now() - began < lately;
      if (hasOne) expect(ahead).toBe(1);
    }
  });
});

describe('a letter that is announced behind another one of its lane', () => {
  /** An air with room for one, in which the first of three letters of a lane is out. */
  function threeOfALane(isOfFew = false) {
    const air = createAir(1, 0);
    const lane = openLane(air, isOfFew);
    const { heard, come } = letters();
    const all = ['a', 'b', 'c'].map((name) => come(lane, name));
    return { air, lane, heard, come, all };
  }

  it('leaves on its connection as soon as the other was taken, and not before', async () => {
    const { lane, heard, all } = threeOfALane();
    for (const [n, name] of ['a', 'b', 'c'].entries()) {
      await aTurn();
      expect(heard.at(-1)).toBe(name);
      expect([conversations.length, lane.waiting()]).toEqual([1, 2 - n]);
      announceBehind(saidOf(lane));
      leave(lane, true);
    }
    await Promise.all(all);
    expect(heard).toEqual(['a', 'b', 'c']);
    expect(conversations).toEqual([]);
  });

  it('is the next that nobody announced, however many rooms there are', async () => {
    const air = createAir(2, 0);
    const lane = openLane(air);
    const { heard, come } = letters();
    for (const name of ['a', 'b', 'c', 'd', 'e']) void come(lane, name);
    const [one, other] = conversations;
    const [behindOne, behindOther] = [one, other].map((said) => announceBehind(said as Conversation));
    expect(behindOne).not.toBe(behindOther);
    answer(other as Conversation, true);
    await aTurn();
    expect(heard).toEqual(['a', 'b', 'd']);
    answer(one as Conversation, true);
    await aTurn();
    expect(heard).toEqual(['a', 'b', 'd', 'c']);
  });

  it('is none where one of few waits, or one of a lane that came before', async () => {
    const { air, lane, come } = threeOfALane();
    const few = openLane(air, true);
    void come(few, 'of few');
    expect(announceBehind(saidOf(lane))).toBeUndefined();
    few.pause();
    expect(announceBehind(saidOf(lane))).toBeDefined();
    leave(lane, false);
    few.turnBack();
    await aTurn();

    const later = openLane(air);
    lane.pause();
    void come(later, 'later');
    expect(announceBehind(saidOf(lane))).toBeUndefined();
    leave(lane, true);
    await aTurn();
    expect(conversations.map((said) => said.lane)).toEqual([later]);
    void come(later, 'another one');
    lane.resume(1);
    expect(announceBehind(saidOf(later))).toBeUndefined();
  });

  it('goes by itself, at once, if the other was not taken, and nobody is announced then for a while', async () => {
    const { lane, heard } = threeOfALane();
    announceBehind(saidOf(lane));
    leave(lane, false);
    await aTurn();
    expect(heard).toEqual(['a', 'b']);
    expect(conversations).toHaveLength(1);
    expect(announceBehind(saidOf(lane))).toBeUndefined();
    leave(lane, true);
    await aTurn();
    expect(heard).toEqual(['a', 'b', 'c']);
  });

  it('goes by itself, at once, if the server does not want it there', async () => {
    const { lane, heard } = threeOfALane();
    const said = saidOf(lane);
    announceBehind(said);
    said.behind = undefined;
    leave(lane, true);
    await aTurn();
    expect(heard).toEqual(['a', 'b']);
    expect(announceBehind(saidOf(lane))).toBeUndefined();
  });

  it('waits while its lane is paused, and goes by itself afterwards', async () => {
    const { lane, heard } = threeOfALane();
    const behind = announceBehind(saidOf(lane));
    lane.pause();
    leave(lane, true);
    await aTurn();
    expect([behind?.leaves(), heard, lane.waiting()]).toEqual([false, ['a'], 2]);
    lane.resume(1);
    await aTurn();
    expect([behind?.leaves(), heard, lane.waiting()]).toEqual([false, ['a', 'b'], 1]);
  });

  it('does not leave once its lane was turned back', async () => {
    const { lane, heard, all } = threeOfALane();
    announceBehind(saidOf(lane));
    lane.turnBack();
    leave(lane, true);
    await Promise.all(all);
    expect(heard).toEqual(['a', 'not b', 'not c']);
    expect(conversations).toEqual([]);
  });

  it.each([
    ['the clock that nobody sets', { steady: 20, wall: 60_000 }],
    ['the clock that goes on while the machine is asleep', { steady: 60_000, wall: 20 }],
  ])('does not leave once it is over by %s', async (_, { steady, wall }) => {
    const { air, makeRoom } = await fullAir();
    const lane = openLane(air);
    const { heard, come } = letters();
    void come(lane, 'a');
    makeRoom();
    await aTurn();
    const last = { steady: performance.now() + steady, wall: Date.now() + wall };
    const told = come(lane, 'b', last);
    const behind = announceBehind(saidOf(lane));
    expect(behind).toBeDefined();
    while (!isLate(last)) {} // before anybody can look
    leave(lane, true);
    expect(await told).toBe(false);
    expect(behind?.leaves()).toBe(false);
    expect(heard).toEqual(['a', 'not b']);
  });

  it.each([
    ['the clock that nobody sets', lateBySteadyClock],
    ['the clock that goes on while the machine is asleep', lateByWallClock],
  ])('is none if it is over by %s', async (_, late) => {
    const lane = openLane(createAir(1, 0));
    const { come } = letters();
    void come(lane, 'a');
    void come(lane, 'b', late());
    expect(announceBehind(saidOf(lane))).toBeUndefined();
  });

  it('goes elsewhere if the other is not answered soon, and nobody is announced then for a while', async () => {
    const air = createAir(2, 0);
    const [lane, other] = [openLane(air), openLane(air)];
    const { heard, come } = letters();
    void come(lane, 'a');
    void come(other, 'x');
    void come(lane, 'b');
    const slow = saidOf(lane);
    const behind = announceBehind(slow);
    leave(other, true);
    await aTurn();
    expect(heard).toEqual(['a', 'x']);
    await until(async () => heard.length === 3, 'the one that was announced', 10_000);
    expect([heard, conversations.length]).toEqual([['a', 'x', 'b'], 2]);
    void come(lane, 'c');
    expect(announceBehind(conversations[1] as Conversation)).toBeUndefined();
    expect(behind?.leaves()).toBe(false);
    answer(slow, true);
    expect(heard).toEqual(['a', 'x', 'b']);
  });

  it('is not said to be slow if this process stood still', async () => {
    const { lane, heard } = threeOfALane();
    announceBehind(saidOf(lane));
    const began = performance.now();
    while (performance.now() - began < 350) {} // longer than a few looks
    await aTurn();
    leave(lane, true);
    expect(heard).toEqual(['a']);
    await aTurn();
    expect(heard).toEqual(['a', 'b']);
    expect(announceBehind(saidOf(lane))).toBeDefined();
  });

  it('goes by itself after a surprise, which is told to whoever was out', async () => {
    const air = createAir(1, 0);
    const lane = openLane(air);
    const { heard, come } = letters();
    const failures: unknown[] = [];
    const surprise = new Error('a surprise');
    const first = lane.send({ ...plain(lane), failed: (error) => failures.push(error) }, muchLater());
    void come(lane, 'b');
    const said = saidOf(lane);
    announceBehind(said);
    conversations.splice(0);
    said.fail(surprise);
    await first;
    await aTurn();
    expect([failures, heard]).toEqual([[surprise], ['b']]);
  });
});
