import { expect, it } from 'vitest';

import { ChatError, failureOf, failureOfEnd, failureOfLink, local } from './failure';

it.each([
  [{ code: 100, message: 'm', temporary: true }, { origin: 'reply', kind: 'temporary', code: 100, reason: 'INTERNAL' }],
  [{ code: 111, message: 'm', temporary: true }, { origin: 'reply', kind: 'temporary', reason: 'RATE_LIMITED' }],
  [{ code: 409, message: 'm', temporary: false }, { origin: 'reply', kind: 'final', reason: 'MESSAGE_ID_CONFLICT' }],
  [{ code: 1999, message: 'm' }, { origin: 'reply', kind: 'final', code: 1999, reason: 'OTHER' }],
  // The SDK fetches another token: the same call works then.
  [{ code: 109, message: 'm', temporary: false }, { origin: 'reply', kind: 'temporary', reason: 'CREDENTIAL_EXPIRED' }],
  // The SDK's own: nothing is known of what was asked.
  [{ code: 1, message: 'timeout' }, { origin: 'local', kind: 'temporary', reason: 'NO_ANSWER', text: 'timeout' }],
  [{ code: 5, message: 'm' }, { origin: 'local', kind: 'temporary', reason: 'TOKEN' }],
  [new TypeError('no field'), { origin: 'local', kind: 'temporary', reason: 'NO_ANSWER', text: 'no field' }],
  ['a text', { origin: 'local', kind: 'temporary', text: 'a text' }],
  [undefined, { origin: 'local', kind: 'temporary' }],
  [new ChatError(local('final', 'CLOSED', 'm')), { origin: 'local', kind: 'final', reason: 'CLOSED' }],
])('tells of %o whether and why it failed', (error, failure) => {
  expect(failureOf(error)).toMatchObject(failure);
});

it('tells why a subscription or the link ended', () => {
  expect(failureOfEnd(2_000, 'spam')).toEqual({ origin: 'close', kind: 'final', code: 2_000, text: 'spam' });
  expect(failureOfEnd(103, 'no')).toMatchObject({ origin: 'reply', kind: 'final', reason: 'PERMISSION_DENIED' });
  expect(failureOfEnd(1, 'm')).toMatchObject({ origin: 'local', reason: 'SIGNED_OUT' });
  expect(failureOfEnd(2, 'm')).toMatchObject({ origin: 'local', reason: 'CLOSED' });
  expect(failureOfLink(0, 'm')).toBeUndefined();
  expect(failureOfLink(3_503, 'm')).toEqual({ origin: 'close', kind: 'final', code: 3_503, text: 'm' });
});
