// Access tokens as a page would hold them: one for all connections of a user, fetched again when half its life is over.

export function tokenSource(url, form) {
  let held = { promise: undefined, until: 0 };
  const fetchOne = async () => {
    const answer = await fetch(url, { method: 'POST', body: new URLSearchParams(form), signal: AbortSignal.timeout(10_000) });
    if (!answer.ok) throw new Error(`the issuer answered ${answer.status}`);
    const { access_token: token, expires_in: lifeS } = await answer.json();
    held.until = Date.now() + lifeS * 500;
    return { token, endsAt: Date.now() + lifeS * 1_000 };
  };
  return async () => {
    if (Date.now() >= held.until) {
      const before = held.promise;
      const next = fetchOne();
      held = { promise: next, until: Date.now() + 10_000 };
      next.catch(async () => {
        // The issuer may be away for a while: what is still good is used until then.
        const old = await before?.catch(() => undefined);
        const good = old !== undefined && old.endsAt > Date.now() + 5_000;
        held = good ? { promise: before, until: Date.now() + 2_000 } : { promise: undefined, until: 0 };
      });
    }
    return (await held.promise).token;
  };
}
