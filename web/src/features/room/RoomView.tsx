import type { Chat, TextContent } from '../../client';
import { useObservable } from '../../components/ui/useObservable';
import { Composer } from './Composer';
import type { ShownRoom } from './shownRoom';
import { Timeline } from './Timeline';

/** One joined room. */
export function RoomView({ chat, room, mine }: { chat: Chat; room: ShownRoom; mine: string }) {
  const shown = useObservable(room.shown);
  const state = useObservable(room.room.state);
  const count = useObservable(room.count);
  const outbox = useObservable(chat.outbox);
  const { name } = room.room;
  const send = (text: string): Promise<boolean> => {
    const content: TextContent = { kind: 'text', text };
    return room.room.send(content).then(
      () => true,
      () => false,
    );
  };
  return (
    <section className="room" data-testid="room" data-state={state.kind}>
      <header>
        <h2>{name}</h2>
        <span>
          Here: <strong data-testid="here">{count?.kind === 'known' ? count.people : 'unavailable'}</strong>
        </span>
      </header>
      {state.kind === 'ended' && (
        <p className="problem">You are no longer in this room{state.failure && `: ${state.failure.text}`}</p>
      )}
      <Timeline
        shown={shown}
        unsent={outbox.filter((entry) => entry.room === name)}
        mine={mine}
        onDismiss={(id) => void chat.discard(id)}
      />
      {state.kind !== 'ended' && <Composer onSend={send} />}
    </section>
  );
}
