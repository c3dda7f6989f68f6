// Applies every fact of Headgate to a database, each once. `npm install kafkajs`; Node 22.16+.
import { DatabaseSync } from "node:sqlite";
import { Kafka } from "kafkajs";

const LIVEMODE = false; // true in production: the payments of test keys are on the same topic.
const database = new DatabaseSync(process.env.DATABASE ?? "payments.db", { timeout: 30_000 });
database.exec(`
CREATE TABLE IF NOT EXISTS payments (id TEXT PRIMARY KEY, sequence INT DEFAULT 0, status TEXT);
CREATE TABLE IF NOT EXISTS shipments (payment_id TEXT, amount INT);`);
const seenOf = database.prepare(`INSERT INTO payments (id) VALUES (?)
ON CONFLICT (id) DO UPDATE SET id = excluded.id RETURNING sequence`); // It locks the row as well.
const update = database.prepare("UPDATE payments SET sequence = ?, status = ? WHERE id = ?");
const ship = database.prepare("INSERT INTO shipments VALUES (?, ?)");

// The fact's effect and its sequence; they are committed together, or not at all.
function apply({ v, livemode, type, sequence, data: { payment } }) {
  if (v !== 1) throw new Error(`a fact of version ${v}; this was written for 1`);
  if (livemode !== LIVEMODE) return;
  const seen = seenOf.get(payment.id).sequence;
  if (sequence <= seen) return; // A repeat.
  if (sequence > seen + 1)
    throw new Error(`${payment.id}: ${sequence} came after ${seen}; read from the beginning`);
  update.run(sequence, payment.status, payment.id);
  if (type === "payment.success") // Other types, also ones you have never heard of, count.
    ship.run(payment.id, payment.amount);
}

const kafka = new Kafka({ brokers: (process.env.KAFKA ?? "127.0.0.1:9092").split(",") });
const consumer = kafka.consumer({ groupId: "example-kafkajs", sessionTimeout: 10_000 });
for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => consumer.disconnect());
consumer.on(consumer.events.CRASH, ({ payload }) => payload.restart || process.exit(1));
await consumer.connect();
// A new group begins with the first fact there is.
await consumer.subscribe({ topic: process.env.TOPIC ?? "payments.facts", fromBeginning: true });
await consumer.run({
  eachBatch: async ({ batch }) => {
    try {
      database.exec("BEGIN IMMEDIATE");
      for (const message of batch.messages) apply(JSON.parse(message.value));
      database.exec("COMMIT"); // When this is done, kafkajs commits the offset: repeats, never less.
    } catch (error) {
      console.error(error);
      process.exit(1); // Nothing of the batch stays; it comes again at the next start.
    }
  },
});
