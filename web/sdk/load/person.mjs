// One connection of the official SDK with its defaults, in one room: it says a numbered message now and then, each
// under one id until it is acknowledged, and counts what it hears.
import { Centrifuge } from 'centrifuge';
import WebSocket from 'ws';

const fresh = () => ({
  published: 0, delivered: 0, lost: 0, doubled: 0, refused: 0, reconnects: 0, awayMs: 0, publishMs: 0, deliveryMs: 0,
});
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// As docs/how-to/write-a-client.md says: the SDK's own codes, what says so itself, and a token that ended.
const isPassing = (error) => error?.temporary === true || error?.code < 100 || error?.code === 109;

export class Person {
  figures = fresh();
  last = undefined;
  here = false;
  sending = false;
  quiet = true;
  awaySince = undefined;
  number = 0;

  constructor(url, index, room, getToken, pauseMs) {
    Object.assign(this, { index, room, pauseMs });
    this.client = new Centrifuge([{ transport: 'websocket', endpoint: url }], { websocket: WebSocket, getToken });
    this.client.on('error', (context) => this.tell('error', context));
    this.client.on('connecting', () => this.gone());
    this.client.on('disconnected', (context) => this.tell('disconnected', context));
    this.subscription = this.client.newSubscription(room.name, { positioned: true, recoverable: true });
    this.subscription.on('subscribed', (context) => this.back(context));
    this.subscription.on('subscribing', () => this.gone());
    this.subscription.on('unsubscribed', (context) => this.tell('unsubscribed', context));
    this.subscription.on('publication', (item) => this.hear(item));
  }

  come() {
    this.subscription.subscribe();
    this.client.connect();
  }

  leave() {
    this.client.disconnect();
  }

  talk() {
    this.quiet = false;
    this.timer = setTimeout(() => void this.say(), Math.random() * 2 * this.pauseMs);
  }

  hush() {
    this.quiet = true;
    clearTimeout(this.timer);
  }

  takeFigures() {
    const taken = this.figures;
    this.figures = fresh();
    if (this.awaySince !== undefined) taken.awayMs = Math.max(taken.awayMs, performance.now() - this.awaySince);
    return taken;
  }

  tell(what, context) {
    const { code, message } = context.error ?? context;
    console.error(`${this.index} ${what} ${code} ${message ?? context.reason ?? ''}`);
  }

  gone() {
    this.here = false;
    if (this.last !== undefined) this.awaySince ??= performance.now();
  }

  back(context) {
    this.here = true;
    this.epoch = context.streamPosition.epoch;
    if (this.last === undefined) {
      this.last = context.streamPosition.offset;
      this.room.begin(this.last);
    } else if (!context.recovered) {
      this.figures.lost += 1;
    }
    if (this.awaySince === undefined) return;
    this.figures.awayMs = Math.max(this.figures.awayMs, performance.now() - this.awaySince);
    this.figures.reconnects += 1;
    this.awaySince = undefined;
  }

  hear({ offset, data }) {
    if (offset <= this.last) this.figures.doubled += 1;
    else this.figures.lost += offset - this.last - 1;
    this.last = Math.max(this.last, offset);
    this.figures.delivered += 1;
    this.figures.deliveryMs = Math.max(this.figures.deliveryMs, this.room.note(offset, data.id));
  }

  async say() {
    this.sending = true;
    this.number += 1;
    const id = `${this.room.name}-${this.index}-${this.number}`;
    const data = { kind: 'text', text: `${this.number} of ${this.index}`, id };
    const begun = performance.now();
    for (;;) {
      try {
        const answer = await this.client.rpc('room.send', { room: this.room.name, id, data });
        this.room.ack(answer.data.offset, id);
        this.figures.published += 1;
        break;
      } catch (error) {
        if (!isPassing(error)) {
          this.tell('refused', { error });
          this.figures.refused += 1;
          break;
        }
        await wait(250);
      }
    }
    this.figures.publishMs = Math.max(this.figures.publishMs, performance.now() - begun);
    this.sending = false;
    if (!this.quiet) this.talk();
  }
}
