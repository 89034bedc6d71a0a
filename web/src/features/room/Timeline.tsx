import { useEffect, useRef } from 'react';

import type { Unsent } from '../../client/outbox';
import type { Shown, ShownMessage } from '../../client/timeline';

interface Props {
  shown: readonly Shown[];
  unsent: readonly Unsent[];
  mine: string;
  onDismiss: (id: string) => void;
}

/** Messages and lines, newest at the bottom; unsent ones last. */
export function Timeline({ shown, unsent, mine, onDismiss }: Props) {
  const end = useRef<HTMLDivElement>(null);
  const arrived = new Set(shown.map((entry) => entry.id));
  const waiting = unsent.filter((message) => !arrived.has(message.id));
  useEffect(() => {
    // Braces: newer browsers answer a promise, and an effect must answer nothing.
    end.current?.scrollIntoView?.({ block: 'end' });
  }, [shown.length, waiting.length]);
  return (
    <div className="timeline" role="log" aria-live="polite" data-testid="timeline">
      {shown.map((entry) =>
        entry.type === 'line' ? (
          <p key={entry.id} className="line">
            {entry.text}
          </p>
        ) : (
          <Bubble key={entry.id} message={entry} own={entry.user === mine} />
        ),
      )}
      {waiting.map((message) => (
        <article key={message.id} className="bubble own" data-state={message.refused === undefined ? 'unsent' : 'refused'}>
          <p>{message.text}</p>
          <footer>
            {message.refused === undefined ? 'waiting to be sent' : `refused: ${message.refused}`}
            {message.refused !== undefined && (
              <button type="button" onClick={() => onDismiss(message.id)}>
                Dismiss
              </button>
            )}
          </footer>
        </article>
      ))}
      <div ref={end} />
    </div>
  );
}

function Bubble({ message, own }: { message: ShownMessage; own: boolean }) {
  return (
    <article className={own ? 'bubble own' : 'bubble'} data-testid="message">
      <header>{message.name}</header>
      <p>{message.text}</p>
      <footer>
        <span data-testid="server">{message.gateway}</span>{' '}
        {message.time > 0 && (
          <time dateTime={new Date(message.time).toISOString()}>{new Date(message.time).toLocaleTimeString()}</time>
        )}
      </footer>
    </article>
  );
}
