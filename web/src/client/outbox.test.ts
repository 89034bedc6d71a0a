import { beforeEach, describe, expect, it, vi } from 'vitest';

import { Outbox, Refused, type Unsent } from './outbox';

describe('outbox', () => {
  beforeEach(() => {
    localStorage.clear();
    vi.useFakeTimers();
  });

  it('keeps a message over a reload and sends it under the same id', async () => {
    const first = new Outbox(() => Promise.reject(new Error('no link')), 'k', localStorage);
    first.add('general', 'hello');
    const id = first.messages.get()[0]?.id;

    const sent: Unsent[] = [];
    const second = new Outbox(async (message) => void sent.push(message), 'k', localStorage);
    second.setOnline(true);
    await vi.runAllTimersAsync();

    expect(sent.map((message) => message.id)).toEqual([id]);
    expect(second.messages.get()).toEqual([]);
    expect(localStorage.getItem('k')).toBe('[]');
  });

  it('tries again after a failure, in order, and sends nothing while there is no link', async () => {
    const sent: string[] = [];
    let failures = 2;
    const outbox = new Outbox(
      async (message) => {
        if (failures-- > 0) throw new Error('try again');
        sent.push(message.text);
      },
      'k',
      localStorage,
    );
    outbox.add('general', 'one');
    outbox.add('general', 'two');
    await vi.runAllTimersAsync();
    expect(sent).toEqual([]);

    outbox.setOnline(true);
    await vi.runAllTimersAsync();
    expect(sent).toEqual(['one', 'two']);
  });

  it('marks a refused message and goes on with the next', async () => {
    const sent: string[] = [];
    const outbox = new Outbox(
      async (message) => {
        if (message.text === 'bad') throw new Refused('permission denied');
        sent.push(message.text);
      },
      'k',
      localStorage,
    );
    outbox.setOnline(true);
    outbox.add('general', 'bad');
    outbox.add('general', 'good');
    await vi.runAllTimersAsync();

    expect(sent).toEqual(['good']);
    expect(outbox.messages.get()[0]?.refused).toBe('permission denied');
  });

  it('has a bound', () => {
    const outbox = new Outbox(() => Promise.reject(new Error('no link')), 'k', localStorage);
    const kept = Array.from({ length: 250 }, (_, index) => outbox.add('general', `${index}`));
    expect(kept.filter(Boolean)).toHaveLength(200);
  });
});
