/**
 * What can go wrong, as data: one union for rejected promises, states and refused messages. The
 * codes are those of docs/reference/codes.md; numbers below 100 are the SDK's own and never leave here.
 */

/** What the server's error reply means. The wire carries a number; where it stands for several reasons this is the first. */
export type ReplyReason =
  | 'INTERNAL'
  | 'INVALID_CREDENTIAL'
  | 'NOT_FOUND'
  | 'PERMISSION_DENIED'
  | 'METHOD_NOT_FOUND'
  | 'ALREADY_SUBSCRIBED'
  | 'LIMIT_EXCEEDED'
  | 'INVALID_ARGUMENT'
  | 'NOT_OFFERED'
  | 'CREDENTIAL_EXPIRED'
  | 'EXPIRED'
  | 'RATE_LIMITED'
  | 'POSITION_UNRECOVERABLE'
  | 'MESSAGE_ID_CONFLICT'
  | 'OTHER';

/** What went wrong on this side. */
export type LocalReason =
  /** No answer came: the link was cut, or the time was up. What was asked may or may not have been done. */
  | 'NO_ANSWER'
  /** `getToken` failed or took too long; it is asked again. */
  | 'TOKEN'
  /** `getToken` threw {@link SignedOutError}, or there is no token to be had. */
  | 'SIGNED_OUT'
  /** The chat or the room was closed here. */
  | 'CLOSED'
  /** The store failed; nothing was sent. */
  | 'STORAGE'
  /** The outbox holds as many messages as it may. */
  | 'OUTBOX_FULL'
  /** The message would not fit into a frame. */
  | 'MESSAGE_TOO_LARGE'
  /** The message is no JSON, or the content reader does not take it. */
  | 'MESSAGE_INVALID'
  /** First tried so long ago that the server may have forgotten its id: sent again it could stand twice. */
  | 'TOO_OLD'
  /** One connection may hold no more rooms. */
  | 'TOO_MANY_ROOMS';

/** Whether it is of use to try the same again. */
export type Lasting = 'temporary' | 'final';

/** The server answered with an error. */
export interface ReplyFailure {
  readonly origin: 'reply';
  readonly kind: Lasting;
  /** The protocol's code, for example 103. */
  readonly code: number;
  readonly reason: ReplyReason;
  /** The server's words, for a log. */
  readonly text: string;
}

/** The server ended the connection or the subscription. */
export interface CloseFailure {
  readonly origin: 'close';
  readonly kind: Lasting;
  /** The close code (3000 to 4999), or the code of the unsubscribe push (2000 to 2999). */
  readonly code: number;
  /** The server's words; for a kick, the reason that was given. */
  readonly text: string;
}

/** It went wrong here, or on the way. */
export interface LocalFailure {
  readonly origin: 'local';
  readonly kind: Lasting;
  readonly reason: LocalReason;
  readonly text: string;
}

/** Why something did not work. Plain data: can be stored and compared. */
export type Failure = ReplyFailure | CloseFailure | LocalFailure;

/** What promises of this package are rejected with. Nothing else is. */
export class ChatError extends Error {
  override readonly name = 'ChatError';

  /** An error for a failure. */
  constructor(
    /** What went wrong. */
    readonly failure: Failure,
  ) {
    super(failure.text);
  }
}

/** To be thrown by `getToken` when there is nobody signed in any more: ends the link for good. */
export class SignedOutError extends Error {
  override readonly name = 'SignedOutError';
}

const REPLY_REASONS: ReadonlyMap<number, ReplyReason> = new Map([
  [100, 'INTERNAL'],
  [101, 'INVALID_CREDENTIAL'],
  [102, 'NOT_FOUND'],
  [103, 'PERMISSION_DENIED'],
  [104, 'METHOD_NOT_FOUND'],
  [105, 'ALREADY_SUBSCRIBED'],
  [106, 'LIMIT_EXCEEDED'],
  [107, 'INVALID_ARGUMENT'],
  [108, 'NOT_OFFERED'],
  [109, 'CREDENTIAL_EXPIRED'],
  [110, 'EXPIRED'],
  [111, 'RATE_LIMITED'],
  [112, 'POSITION_UNRECOVERABLE'],
  [409, 'MESSAGE_ID_CONFLICT'],
]);

/** The SDK's code for an ended token: it fetches another by itself, so what failed can be tried again. */
const TOKEN_EXPIRED = 109;
/** Codes of the SDK: below the server's. */
const SDK_CODES_MAX = 99;
const TOKEN_CODES = new Set([5, 6, 8, 9]);

/** A failure of this side. */
export function local(kind: Lasting, reason: LocalReason, text: string): LocalFailure {
  return { origin: 'local', kind, reason, text };
}

/** What a call of the SDK, or of this package, was rejected with. */
export function failureOf(error: unknown): Failure {
  if (error instanceof ChatError) return error.failure;
  const { code, message, temporary } = (error ?? {}) as { code?: unknown; message?: unknown; temporary?: unknown };
  const text = typeof message === 'string' ? message : String(error);
  if (typeof code !== 'number' || code <= SDK_CODES_MAX) {
    const reason = typeof code === 'number' && TOKEN_CODES.has(code) ? 'TOKEN' : 'NO_ANSWER';
    return local('temporary', reason, text);
  }
  return reply(code, text, temporary === true);
}

/** What ended a subscription: a code of the SDK, an error reply to the subscribe, or an unsubscribe push. */
export function failureOfEnd(code: number, text: string): Failure {
  if (code === 1) return local('final', 'SIGNED_OUT', text);
  if (code <= SDK_CODES_MAX) return local('final', 'CLOSED', text);
  return code < 2_000 ? reply(code, text, false) : { origin: 'close', kind: 'final', code, text };
}

/** What ended the link for good; undefined if this side did. */
export function failureOfLink(code: number, text: string): Failure | undefined {
  if (code === 0) return undefined;
  if (code === 1) return local('final', 'SIGNED_OUT', text);
  if (code >= 100 && code < 2_000) return reply(code, text, false);
  return { origin: 'close', kind: 'final', code, text };
}

function reply(code: number, text: string, temporary: boolean): ReplyFailure {
  const kind = temporary || code === TOKEN_EXPIRED ? 'temporary' : 'final';
  return { origin: 'reply', kind, code, reason: REPLY_REASONS.get(code) ?? 'OTHER', text };
}
