/**
 * A typed chat client for roomcast servers, over the official `centrifuge` SDK.
 *
 * {@link openChat} makes a {@link Chat}; {@link Chat.join} a {@link Room}. What comes back is data in
 * discriminated unions, what goes wrong is a {@link Failure}, and what is bounded says so.
 *
 * @packageDocumentation
 */
export { openChat } from './chat.js';
export type { Chat, ChatOptions, LinkState } from './chat.js';
export { ChatError, SignedOutError } from './failure.js';
export type { CloseFailure, Failure, Lasting, LocalFailure, LocalReason, ReplyFailure, ReplyReason } from './failure.js';
export type { HistoryPage, HistoryRequest } from './history.js';
export { indexedDbStore } from './indexedDb.js';
export { readText } from './message.js';
export type { Content, ContentReader, Item, Kick, Message, Placed, Position, TextContent, UnknownItem, Who } from './message.js';
export type { Notice } from './notices.js';
export { Observable } from './observable.js';
export type { Observed } from './observable.js';
export type { Accepted, Outcome, OutboxEntry, OutboxState } from './outbox.js';
export type { Count, JoinOptions, Presence, Recovery, Room, RoomEvent, RoomState } from './room.js';
export type { Environment, Transport, TransportName } from './sdk.js';
export { memoryStore, webStore } from './store.js';
export type { Store, WebStorage } from './store.js';
