// What is known of a room's log: who heard or was told first which message stands at which offset. At an audit the
// log itself is read, and must say the same.
const PAGE = 200;

const fresh = () => ({ lost: 0, doubled: 0, disagreed: 0 });

class Ledger {
  ids = new Map();
  firstAt = new Map();
  offsets = new Map();
  acked = new Map();
  head = 0;
  audited = 0;
  figures = fresh();

  constructor(name) {
    this.name = name;
  }

  // Somebody heard, or was told of, this message at this offset; answers how long after the first who did.
  note(offset, id) {
    const known = this.ids.get(offset);
    const now = performance.now();
    if (known === undefined) {
      if (this.offsets.has(id)) this.figures.doubled += 1;
      this.ids.set(offset, id);
      this.offsets.set(id, offset);
      this.firstAt.set(offset, now);
      this.head = Math.max(this.head, offset);
    } else if (known !== id) {
      this.figures.disagreed += 1;
    }
    return now - (this.firstAt.get(offset) ?? now);
  }

  // The author was told that the message stands at this offset: from now on it must.
  ack(offset, id) {
    this.acked.set(id, offset);
    this.note(offset, id);
  }

  begin(offset) {
    this.audited = Math.max(this.audited, offset);
    this.head = Math.max(this.head, offset);
  }

  // Reads the log on from the last audit. What was acked must stand there, once, where it was said to.
  async audit(reader) {
    if (reader === undefined) {
      this.figures.lost += this.acked.size;
      return;
    }
    const found = new Map();
    let { offset, epoch } = { offset: this.audited, epoch: reader.epoch };
    for (;;) {
      const page = await reader.subscription.history({ since: { offset, epoch }, limit: PAGE });
      for (const item of page.publications) {
        if (item.offset !== offset + 1) this.figures.lost += 1;
        if (found.has(item.data.id)) this.figures.doubled += 1;
        found.set(item.data.id, item.offset);
        this.note(item.offset, item.data.id);
        offset = item.offset;
      }
      if (page.publications.length < PAGE) break;
    }
    for (const [id, at] of this.acked) {
      if (!found.has(id)) this.figures.lost += 1;
      else if (found.get(id) !== at) this.figures.disagreed += 1;
    }
    this.acked.clear();
    this.audited = offset;
  }

  takeFigures() {
    const taken = this.figures;
    this.figures = fresh();
    this.firstAt.clear();
    return taken;
  }
}

export function ledgers(count) {
  const run = Math.random().toString(36).slice(2, 8);
  return Array.from({ length: count }, (_, index) => new Ledger(`load-${run}-${index}`));
}
