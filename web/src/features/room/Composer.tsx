import { useState, type FormEvent } from 'react';

/** Longest text of one message, in characters; the server's limit is 64 KiB of JSON. */
const TEXT_MAX = 8_000;

/** Writes a message. */
export function Composer({ onSend }: { onSend: (text: string) => boolean }) {
  const [text, setText] = useState('');
  const [full, setFull] = useState(false);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const trimmed = text.trim();
    if (trimmed === '') return;
    const kept = onSend(trimmed);
    setFull(!kept);
    if (kept) setText('');
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
      {full && <span className="problem">Too many unsent messages; wait for the link.</span>}
    </form>
  );
}
