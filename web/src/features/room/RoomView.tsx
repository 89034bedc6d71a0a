import type { Chat } from '../../client/chat';
import type { Room } from '../../client/room';
import { useObservable } from '../../components/ui/useObservable';
import { Composer } from './Composer';
import { Timeline } from './Timeline';

/** One joined room. */
export function RoomView({ chat, room, mine }: { chat: Chat; room: Room; mine: string }) {
  const shown = useObservable(room.shown);
  const state = useObservable(room.state);
  const people = useObservable(room.people);
  const unsent = useObservable(chat.outbox.messages);
  return (
    <section className="room" data-testid="room" data-state={state.kind}>
      <header>
        <h2>{room.name}</h2>
        <span>
          Here: <strong data-testid="here">{people ?? 'unavailable'}</strong>
        </span>
      </header>
      {state.kind === 'ended' && <p className="problem">You are no longer in this room: {state.reason}</p>}
      <Timeline
        shown={shown}
        unsent={unsent.filter((message) => message.room === room.name)}
        mine={mine}
        onDismiss={(id) => chat.outbox.dismiss(id)}
      />
      {state.kind !== 'ended' && <Composer onSend={(text) => chat.outbox.add(room.name, text)} />}
    </section>
  );
}
