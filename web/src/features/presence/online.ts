/** How many people are online anywhere: `/stats`, asked every few seconds while the page is seen. */
import { Observable } from '../../client';

const WAIT_MS = 2_000;

export class Online {
  /** Distinct people; undefined while it is not known. */
  readonly people = new Observable<number | undefined>(undefined);
  private timer: ReturnType<typeof setTimeout> | undefined;
  private closed = false;

  start(): void {
    this.closed = false;
    void this.ask();
  }

  close(): void {
    this.closed = true;
    clearTimeout(this.timer);
  }

  private async ask(): Promise<void> {
    try {
      const answer = await fetch('/stats', { cache: 'no-store', signal: AbortSignal.timeout(WAIT_MS) });
      const stats = (await answer.json()) as { principals?: unknown };
      this.people.set(typeof stats.principals === 'number' ? stats.principals : undefined);
    } catch {
      this.people.set(undefined);
    }
    if (!this.closed) this.timer = setTimeout(() => void this.ask(), WAIT_MS);
  }
}
