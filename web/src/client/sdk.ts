/**
 * The official SDK, set up: transports, token supply, and the one thing that it keeps to itself.
 * Only this file makes a `Centrifuge`; the others know it as {@link Sdk}, so that tests can stand in.
 */
import { Centrifuge, UnauthorizedError, type Options, type TransportEndpoint } from 'centrifuge';

import { SignedOutError } from './failure.js';

/** A transport's name. A server offers `websocket` at least; the others are of use once it offers them. */
export type TransportName = 'websocket' | 'http_stream' | 'sse';

/** A way to the server. */
export interface Transport {
  readonly kind: TransportName;
  /** The whole URL: `wss://host/ws`, `https://host/connection/http_stream`, `https://host/connection/sse`. */
  readonly url: string;
}

/** What the browser has and another runtime may have to be given. */
export interface Environment {
  /** A `WebSocket` constructor: of the package `ws`, for Node.js before 22. */
  readonly websocket?: unknown;
  /** A `fetch`, for `http_stream` and `sse`. */
  readonly fetch?: unknown;
  /** A `ReadableStream` constructor, for `http_stream`. */
  readonly readableStream?: unknown;
  /** An `EventSource` constructor, for `sse`. */
  readonly eventSource?: unknown;
}

/** What the SDK is set up with. */
export interface SdkSetup {
  transports: string | readonly Transport[];
  emulationUrl?: string | undefined;
  getToken: () => Promise<string>;
  tokenWaitMs: number;
  answerWaitMs: number;
  reconnectDelayMaxMs: number;
  name: string;
  environment?: Environment | undefined;
}

/** What is used of the SDK. */
export type Sdk = Pick<
  Centrifuge,
  'on' | 'connect' | 'disconnect' | 'rpc' | 'history' | 'presence' | 'presenceStats' | 'newSubscription' | 'removeSubscription'
>;

/** Makes the SDK's client; it does not connect yet. */
export function newSdk(setup: SdkSetup): Sdk {
  const { websocket, fetch, readableStream, eventSource } = setup.environment ?? {};
  const options: Partial<Options> = {
    name: setup.name,
    timeout: setup.answerWaitMs,
    minReconnectDelay: Math.min(500, setup.reconnectDelayMaxMs),
    maxReconnectDelay: setup.reconnectDelayMaxMs,
    getToken: tokenSupply(setup.getToken, setup.tokenWaitMs),
    ...(setup.emulationUrl === undefined ? {} : { emulationEndpoint: setup.emulationUrl }),
    ...(websocket === undefined ? {} : { websocket }),
    ...(fetch === undefined ? {} : { fetch }),
    ...(readableStream === undefined ? {} : { readableStream }),
    ...(eventSource === undefined ? {} : { eventsource: eventSource }),
  };
  const sdk = new Centrifuge(endpointOf(setup.transports), options);
  handOverTimes(sdk);
  return sdk;
}

/** One WebSocket as a plain URL; else the SDK's list, which it tries from the front. */
export function endpointOf(transports: string | readonly Transport[]): string | TransportEndpoint[] {
  if (typeof transports === 'string') return transports;
  const [first] = transports;
  if (first?.kind === 'websocket' && transports.length === 1) return first.url;
  return transports.map(({ kind, url }) => ({ transport: kind, endpoint: url }));
}

/** The application's token supply with a bound on its time, and with its word for "signed out" as the SDK's. */
export function tokenSupply(getToken: () => Promise<string>, waitMs: number): () => Promise<string> {
  return async () => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<never>((_, fail) => {
      timer = setTimeout(() => fail(new Error(`no token within ${waitMs} ms`)), waitMs);
    });
    try {
      return await Promise.race([getToken(), late]);
    } catch (error) {
      throw error instanceof SignedOutError ? new UnauthorizedError(error.message) : error;
    } finally {
      clearTimeout(timer);
    }
  };
}

/**
 * Lets publications keep their `time`: the server sends it and the SDK (5.8) drops it where it makes
 * the context for the application. An SDK that does that elsewhere leaves items without a time.
 */
function handOverTimes(sdk: object): void {
  const make: unknown = Reflect.get(sdk, '_getPublicationContext');
  if (typeof make !== 'function') return;
  Reflect.set(sdk, '_getPublicationContext', (channel: string, publication: { time?: unknown }): object => ({
    ...(Reflect.apply(make, sdk, [channel, publication]) as object),
    time: publication.time,
  }));
}
