import { useEffect, useState } from 'react';

import { openChat, webStore, type Chat } from '../client';
import { useObservable } from '../components/ui/useObservable';
import type { Settings } from '../config/settings';
import { ConnectionLamp } from '../features/connection/ConnectionLamp';
import { Notices } from '../features/notice/Notices';
import { OnlineCount } from '../features/presence/OnlineCount';
import { JoinForm } from '../features/room/JoinForm';
import { RoomView } from '../features/room/RoomView';
import { ShownRoom } from '../features/room/shownRoom';
import { Session, type Person } from '../features/signin/session';
import { SignIn } from '../features/signin/SignIn';

interface SignedIn {
  person: Person;
  chat: Chat;
  room: string | undefined;
}

/** Finishes a sign-in that is under way, then shows the door or the chat. */
export function App({ settings }: { settings: Settings }) {
  const [session] = useState(() => new Session(settings));
  const [signedIn, setSignedIn] = useState<SignedIn | undefined>();
  const [problem, setProblem] = useState<string | undefined>();

  useEffect(() => {
    session.resume().then(
      (resumed) => {
        if (resumed === undefined) return;
        const { protocol, host } = window.location;
        const url = `${protocol === 'https:' ? 'wss' : 'ws'}://${host}/ws`;
        const chat = openChat({
          transports: url,
          getToken: () => session.token(),
          store: webStore(window.localStorage, `roomcast.${resumed.person.subject}.`),
          name: 'roomcast-web',
        });
        setSignedIn({ person: resumed.person, chat, room: resumed.room });
      },
      (error: unknown) => setProblem(`Signing in failed: ${String(error)}`),
    );
  }, [session]);

  if (signedIn === undefined) {
    const room = window.sessionStorage.getItem('roomcast.room') ?? undefined;
    const signIn = () => {
      session.signIn(room).catch((error: unknown) => setProblem(`The issuer cannot be reached: ${String(error)}`));
    };
    return <SignIn onSignIn={signIn} problem={problem} />;
  }
  return <ChatPage {...signedIn} version={settings.version} onSignOut={() => void session.signOut()} />;
}

interface ChatPageProps extends SignedIn {
  version: string;
  onSignOut: () => void;
}

function ChatPage({ person, chat, room: firstRoom, version, onSignOut }: ChatPageProps) {
  const link = useObservable(chat.link);
  const [room, setRoom] = useState<ShownRoom | undefined>(() =>
    firstRoom === undefined ? undefined : new ShownRoom(chat, firstRoom),
  );
  const join = (name: string) => {
    window.sessionStorage.setItem('roomcast.room', name);
    if (room?.room.name === name && room.room.state.get().kind !== 'ended') return;
    room?.close();
    setRoom(new ShownRoom(chat, name));
  };
  return (
    <div className="page">
      <header className="top">
        <h1>roomcast</h1>
        <ConnectionLamp link={link} />
        <OnlineCount />
        <span className="person">
          {person.name}{' '}
          <button type="button" onClick={onSignOut}>
            Sign out
          </button>
        </span>
      </header>
      <Notices chat={chat} />
      <main>
        <JoinForm room={room?.room.name ?? firstRoom ?? 'general'} onJoin={join} />
        {room !== undefined && <RoomView key={room.room.name} chat={chat} room={room} mine={person.subject} />}
      </main>
      <footer className="bottom">roomcast {version}</footer>
    </div>
  );
}
