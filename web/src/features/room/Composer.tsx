import { useState, type FormEvent } from 'react';

/** Longest text of one message, in characters; the server's limit is 64 KiB of JSON. */
const TEXT_MAX = 8_000;

/** Writes a message. `onSend` answers whether it was kept. */
export function Composer({ onSend }: { onSend: (text: string) => Promise<boolean> }) {
  const [text, setText] = useState('');
  const [full, setFull] = useState(false);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const trimmed = text.trim();
    if (trimmed === '') return;
    setText('');
    void onSend(trimmed).then((kept) => {
      setFull(!kept);
      // Given back, unless the person has gone on writing.
      if (!kept) setText((now) => (now === '' ? text : now));
    });
  };
  return (
    <form className="composer" onSubmit={submit}>
      <input
        aria-label="Message"
        placeholder="Write a message"
        value={text}
        maxLength={TEXT_MAX}
        autoComplete="off"
        onChange={(event) => setText(event.target.value)}
      />
      <button type="submit" className="primary">
        Send
      </button>
      {full && <span className="problem">The message could not be kept: too many are unsent, or it is too long.</span>}
    </form>
  );
}
