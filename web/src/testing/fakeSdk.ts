/** Stands in for the SDK where a real server cannot be made to do a thing at a given moment. */
import { EventEmitter } from 'node:events';

import type { Sdk } from '../client/sdk';

export class FakeSubscription extends EventEmitter {
  unsubscribed = false;

  constructor(
    readonly channel: string,
    readonly options: unknown,
  ) {
    super();
  }

  subscribe(): void {
    this.emit('subscribing', { channel: this.channel, code: 0, reason: '' });
  }

  unsubscribe(): void {
    this.unsubscribed = true;
  }

  subscribed(context: { recovered?: boolean; wasRecovering?: boolean; offset?: number; epoch?: string }): void {
    const { recovered = false, wasRecovering = false, offset = 0, epoch = 'e' } = context;
    this.emit('subscribed', { channel: this.channel, recovered, wasRecovering, streamPosition: { offset, epoch } });
  }

  message(offset: number, text = `text ${offset}`): void {
    const info = { user: 'u1', client: 'c1', connInfo: { name: 'Ann' } };
    this.emit('publication', { channel: this.channel, offset, info, data: { id: `id-${offset}`, kind: 'text', text } });
  }
}

export class FakeSdk extends EventEmitter {
  readonly subscriptions = new Map<string, FakeSubscription>();
  connects = 0;
  disconnects = 0;
  /** What `rpc` does; answered by place 1 if nothing else is said. */
  answer: (data: unknown) => Promise<{ data: unknown }> = () =>
    Promise.resolve({ data: { epoch: 'e', offset: 1, duplicate: false } });
  readonly calls: unknown[] = [];

  /** As what the client knows it. */
  get sdk(): Sdk {
    return this as unknown as Sdk;
  }

  connect(): void {
    this.connects += 1;
    this.emit('connecting', { code: 0, reason: 'connect called' });
  }

  disconnect(): void {
    this.disconnects += 1;
  }

  connected(data: object = {}): void {
    this.emit('connected', { client: 'c1', transport: 'websocket', data: { gateway: 'g1', user: 'u1', name: 'Ann', ...data } });
  }

  rpc(_method: string, data: unknown): Promise<{ data: unknown }> {
    this.calls.push(data);
    return this.answer(data);
  }

  newSubscription(channel: string, options: unknown): FakeSubscription {
    const subscription = new FakeSubscription(channel, options);
    this.subscriptions.set(channel, subscription);
    return subscription;
  }

  removeSubscription({ channel }: FakeSubscription): void {
    this.subscriptions.delete(channel);
  }

  subscription(channel: string): FakeSubscription {
    const found = this.subscriptions.get(channel);
    if (found === undefined) throw new Error(`no subscription to ${channel}`);
    return found;
  }
}
