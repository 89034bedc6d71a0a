/** What the server tells everybody, or one person, outside of rooms: notices, and what is impaired. */
import { fieldsOf } from './message.js';
import { Observable } from './observable.js';

/** A text for people, shown until it is dismissed. */
export interface Notice {
  /** A notice with the same id replaces an older one. */
  readonly id: string;
  readonly level: 'info' | 'warning';
  /** Text, never markup. */
  readonly text: string;
  /** Whether it is for this person alone. */
  readonly personal: boolean;
}

/** Notices kept; the oldest goes first. */
const NOTICES_MAX = 5;
const DEGRADED = 'Redundancy service is not available.';
const SYSTEM_CHANNEL = 'system';
const PERSONAL_PREFIX = 'user:';

export class Notices {
  readonly list = new Observable<readonly Notice[]>([]);
  readonly degraded = new Observable<string | undefined>(undefined);

  /** Takes what the connect reply says of the gateway. */
  greet(degraded: boolean): void {
    this.degraded.set(degraded ? (this.degraded.get() ?? DEGRADED) : undefined);
  }

  /** Takes a payload of a channel that the server has subscribed us to. */
  tell(channel: string, data: unknown): void {
    const personal = channel.startsWith(PERSONAL_PREFIX);
    const { kind, id, level, text, degraded } = fieldsOf(data) ?? {};
    if (!(personal || channel === SYSTEM_CHANNEL) || kind !== 'notice' || typeof text !== 'string') return;
    if (typeof degraded === 'boolean') {
      this.degraded.set(degraded ? text : undefined);
      return;
    }
    const notice: Notice = {
      id: typeof id === 'string' && id !== '' ? id : text,
      level: level === 'warning' ? 'warning' : 'info',
      text,
      personal,
    };
    this.list.update((list) => [...list.filter((old) => old.id !== notice.id), notice].slice(-NOTICES_MAX));
  }

  dismiss(id: string): void {
    this.list.update((list) => list.filter((notice) => notice.id !== id));
  }
}
