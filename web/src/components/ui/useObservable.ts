import { useSyncExternalStore } from 'react';

interface Source<T> {
  get: () => T;
  subscribe: (listener: () => void) => () => void;
}

/** The value of an observable, drawn anew when it changes. */
export function useObservable<T>(source: Source<T>): T {
  return useSyncExternalStore(source.subscribe, source.get);
}
