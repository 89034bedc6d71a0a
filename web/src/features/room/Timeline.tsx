import { useEffect, useRef } from 'react';

import type { OutboxEntry, TextContent } from '../../client';
import type { Shown, ShownMessage } from './timeline';

interface Props {
  shown: readonly Shown[];
  unsent: readonly OutboxEntry<TextContent>[];
  mine: string;
  onDismiss: (id: string) => void;
}

/** Messages and lines, newest at the bottom; unsent ones last. */
export function Timeline({ shown, unsent, mine, onDismiss }: Props) {
  const end = useRef<HTMLDivElement>(null);
  // Message ids are each author's own: only what this person wrote can have arrived.
  const arrived = new Set(shown.filter((entry) => entry.type === 'message' && entry.user === mine).map((entry) => entry.id));
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
      {waiting.map(({ id, content, state }) => (
        <article key={id} className="bubble own" data-state={state.kind === 'refused' ? 'refused' : 'unsent'}>
          <p>{content.text}</p>
          <footer>
            {state.kind === 'refused' ? `refused: ${state.failure.text}` : 'waiting to be sent'}
            {state.kind === 'refused' && (
              <button type="button" onClick={() => onDismiss(id)}>
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
