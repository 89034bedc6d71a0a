/** The door: everything behind it needs a person. */
export function SignIn({ onSignIn, problem }: { onSignIn: () => void; problem: string | undefined }) {
  return (
    <main className="card">
      <h1>roomcast</h1>
      <p>Sign in to join a room.</p>
      {problem !== undefined && <p className="problem">{problem}</p>}
      <button type="button" className="primary" onClick={onSignIn}>
        Sign in
      </button>
    </main>
  );
}
