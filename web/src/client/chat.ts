/**
 * The link to a gateway, by the official SDK: one connection, its rooms, its notices, and the outbox
 * that outlives it. No React here.
 */
import { Centrifuge, UnauthorizedError } from 'centrifuge';

import { Observable } from './observable';
import { Outbox, Refused, type Unsent } from './outbox';
import { Room } from './room';
import type { Person } from './session';

/** The state of the link. */
export type Link =
  | { kind: 'connecting' }
  | { kind: 'connected'; gateway: string }
  | { kind: 'closed'; reason: string };

/** A text for everybody. */
export interface Notice {
  id: string;
  text: string;
}

/** Notices kept on the page. */
const NOTICES_MAX = 5;

export class Chat {
  readonly link = new Observable<Link>({ kind: 'connecting' });
  /** What is impaired, as long as it is. */
  readonly degraded = new Observable<string | undefined>(undefined);
  readonly notices = new Observable<readonly Notice[]>([]);
  readonly outbox: Outbox;
  private readonly centrifuge: Centrifuge;
  private room: Room | undefined;

  constructor(url: string, person: Person, token: () => Promise<string>) {
    this.centrifuge = new Centrifuge(url, {
      name: 'roomcast-web',
      getToken: () =>
        token().catch((error: unknown) => {
          throw error instanceof Error && error.message === 'signed out'
            ? new UnauthorizedError('signed out')
            : error;
        }),
    });
    this.outbox = new Outbox((message) => this.send(message), `roomcast.outbox.${person.subject}`, localStorage);
    this.centrifuge.on('connecting', () => this.unlinked({ kind: 'connecting' }));
    this.centrifuge.on('disconnected', (context) =>
      this.unlinked({ kind: 'closed', reason: context.reason }),
    );
    this.centrifuge.on('connected', (context) => {
      const data = (context.data ?? {}) as { gateway?: string; degraded?: boolean; degraded_text?: string };
      this.degraded.set(data.degraded === true ? (data.degraded_text ?? DEGRADED) : undefined);
      this.link.set({ kind: 'connected', gateway: data.gateway ?? '' });
      this.outbox.setOnline(true);
    });
    this.centrifuge.on('publication', (context) => this.told(context.data));
    this.centrifuge.connect();
  }

  /** Joins a room, leaving the one before. */
  join(name: string): Room {
    if (this.room?.name === name) return this.room;
    this.room?.close();
    this.room = new Room(this.centrifuge, name);
    return this.room;
  }

  /** Closes the link for good. */
  close(): void {
    this.room?.close();
    this.outbox.setOnline(false);
    this.centrifuge.disconnect();
  }

  dismissNotice(id: string): void {
    this.notices.update((notices) => notices.filter((notice) => notice.id !== id));
  }

  private unlinked(link: Link): void {
    this.link.set(link);
    this.outbox.setOnline(false);
  }

  private async send({ id, room, text }: Unsent): Promise<void> {
    try {
      await this.centrifuge.rpc('room.send', { room, id, data: { id, kind: 'text', text } });
    } catch (error) {
      const { code, message, temporary } = error as { code?: number; message?: string; temporary?: boolean };
      // Codes below 100 are the SDK's own: no answer came, nothing is known.
      if (code !== undefined && code >= 100 && temporary !== true) throw new Refused(message ?? 'refused');
      throw error;
    }
  }

  private told(data: unknown): void {
    const { kind, id, text, degraded } = (data ?? {}) as Record<string, unknown>;
    if (kind !== 'notice' || typeof text !== 'string') return;
    if (typeof degraded === 'boolean') {
      this.degraded.set(degraded ? text : undefined);
      return;
    }
    const notice = { id: typeof id === 'string' ? id : text, text };
    this.notices.update((notices) =>
      [...notices.filter((old) => old.id !== notice.id), notice].slice(-NOTICES_MAX),
    );
  }
}

const DEGRADED = 'Redundancy service is not available.';
