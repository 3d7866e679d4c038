import { readFileSync } from 'node:fs';
import nodemailer from 'nodemailer';

/**
 * The yardstick, run as a process of its own: a bare nodemailer pool that sends the given texts and records
 * nothing. `argv`: smtp URL, number of messages to warm up with, number of messages, file with the texts (JSON:
 * [{ subject, text }]).
 */
const [url = '', before = '0', count = '0', file = ''] = process.argv.slice(2);
const { hostname, port } = new URL(url);
const texts = JSON.parse(readFileSync(file, 'utf8')) as { subject: string; text: string }[];
const pool = nodemailer.createTransport({
  pool: true,
  host: hostname,
  port: Number(port),
  maxConnections: 10,
  maxMessages: Number.POSITIVE_INFINITY,
  ignoreTLS: true,
});
/** Enough to keep every connection busy, few enough not to measure the garbage collector. */
const queued = 100;
let sent = 0;

async function send(count: number): Promise<void> {
  const last = sent + count;
  async function feed(): Promise<void> {
    while (sent < last) {
      const i = sent;
      sent += 1;
      await pool.sendMail({
        from: { name: 'A concerned person via Outspoken', address: 'letters@outspoken.example' },
        to: { name: 'A brand', address: 'human-rights@brand.example' },
        replyTo: `r.${i}@outspoken.example`,
        ...(texts[i % texts.length] as { subject: string; text: string }),
        messageId: `<yardstick.${i}@outspoken.example>`,
        envelope: { from: `b.${i}@outspoken.example`, to: 'human-rights@brand.example' },
      });
    }
  }
  await Promise.all(Array.from({ length: queued }, feed));
}

await send(Number(before));
const started = performance.now();
const cpu = process.cpuUsage();
await send(Number(count));
const seconds = (performance.now() - started) / 1000;
const used = process.cpuUsage(cpu);
pool.close();
process.stdout.write(`${JSON.stringify({ seconds, cpuMicros: used.user + used.system })}\n`);
