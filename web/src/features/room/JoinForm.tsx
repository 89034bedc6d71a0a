import { useState, type FormEvent } from 'react';

/** Room names as the server takes them, so that a typing error is told at once. */
const NAME = '[A-Za-z0-9_\\-]+(:[A-Za-z0-9_\\-]+){0,2}';

/** Types a room's name and joins it. */
export function JoinForm({ room, onJoin }: { room: string; onJoin: (room: string) => void }) {
  const [name, setName] = useState(room);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    onJoin(name);
  };
  return (
    <form className="join" onSubmit={submit}>
      <label htmlFor="room">Room</label>
      <input
        id="room"
        value={name}
        required
        maxLength={128}
        pattern={NAME}
        title="Words of letters, digits, _ and -, joined by at most two colons"
        onChange={(event) => setName(event.target.value)}
      />
      <button type="submit">Join</button>
    </form>
  );
}
