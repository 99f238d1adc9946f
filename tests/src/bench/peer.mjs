// The workload of peers.rs on Signal's store (`@signalapp/sqlcipher`): FOLDER MESSAGES CONVERSATIONS. Prints figures as JSON.
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import { join } from 'node:path';
const [folder, messages, conversations] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4])];
const found = createRequire(pathToFileURL(join(folder, 'package.json'))).resolve('@signalapp/sqlcipher');
const module = await import(pathToFileURL(found).href);
const Database = module.default?.default ?? module.default;

const WORDS = process.argv[5].split(',');
const text = (n) => {
  let state = Math.imul(n, 2654435761) >>> 0;
  const words = [];
  for (let i = 0; i < 18; i += 1) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    words.push(WORDS[(state >>> 16) % WORDS.length]);
  }
  return `${words.join(' ')} needle${n % 10000}`;
};
const open = () => {
  const db = new Database(join(folder, 'peer.db'));
  db.exec(`PRAGMA key = "x'${'07'.repeat(32)}'"`);
  db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA secure_delete = ON; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -8000');
  return db;
};
const now = () => Number(process.hrtime.bigint()) / 1e6;
const timed = (times, work) => Array.from({ length: times }, (_, n) => { const from = now(); work(n); return now() - from; });

let db = open();
db.exec(`CREATE TABLE message (row INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, conversation TEXT NOT NULL, direction TEXT NOT NULL,
  sent_at INTEGER NOT NULL, text TEXT NOT NULL, seq INTEGER NOT NULL);
CREATE INDEX message_timeline ON message (conversation, row);
CREATE VIRTUAL TABLE message_text USING fts5(text, content='message', content_rowid='row', tokenize='unicode61 remove_diacritics 2');
INSERT INTO message_text (message_text, rank) VALUES ('secure-delete', 1);
CREATE TRIGGER message_in AFTER INSERT ON message BEGIN INSERT INTO message_text (rowid, text) VALUES (new.row, new.text); END;`);
const insert = db.prepare('INSERT INTO message VALUES (?, ?, ?, ?, ?, ?, ?)');
const from = now();
for (let n = 0; n < messages; ) {
  db.exec('BEGIN');
  for (let i = 0; i < 500 && n < messages; i += 1, n += 1) {
    insert.run([n + 1, `message-${String(n).padStart(28, '0')}`, `conversation-${n % conversations}`, 'incoming', n, text(n), n]);
  }
  db.exec('COMMIT');
}
const seconds = (now() - from) / 1e3;
db.close();
const opens = timed(20, () => { const one = open(); one.prepare('SELECT text FROM message ORDER BY row DESC LIMIT 1').get(); one.close(); });
db = open();
const page = db.prepare('SELECT * FROM message WHERE conversation = ? ORDER BY row DESC LIMIT 50');
const switches = timed(1000, (n) => page.all([`conversation-${(n * 7919) % conversations}`]));
const search = db.prepare('SELECT message.* FROM message_text JOIN message ON message.row = message_text.rowid WHERE message_text MATCH ? ORDER BY message_text.rowid DESC LIMIT 20');
const common = timed(200, () => search.all(['"brass"']));
const rare = timed(200, (n) => search.all([`"needle${n}"`]));
db.close();
console.log(JSON.stringify({ seconds, opens, switches, common, rare }));
