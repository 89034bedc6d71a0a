/** A round lamp with its word, so that colour is never the only sign. */
export function Lamp({ colour, label }: { colour: 'green' | 'amber' | 'red'; label: string }) {
  return (
    <span className="lamp" data-colour={colour} data-testid="lamp" role="status">
      <span className="lamp-dot" aria-hidden="true" />
      {label}
    </span>
  );
}
