import type { ReactNode } from 'react';

/** A band over the whole page. */
export function Banner({ tone, children }: { tone: 'warning' | 'info'; children: ReactNode }) {
  return (
    <div className="banner" data-tone={tone} data-testid={`banner-${tone}`} role="alert">
      {children}
    </div>
  );
}
