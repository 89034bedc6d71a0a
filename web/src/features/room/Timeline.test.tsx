import { cleanup, render, screen } from '@testing-library/react';
import { afterEach, expect, it } from 'vitest';

import type { OutboxEntry, TextContent } from '../../client';
import { Timeline } from './Timeline';
import type { Shown } from './timeline';

afterEach(cleanup);

const message: Shown = {
  type: 'message', id: 'id-1', offset: 1, user: 'u1', name: '<b>Ann</b>', text: '<img src=x onerror=alert(1)>',
  gateway: 'g1', time: 1,
};

it('draws what people write as text, never as markup', () => {
  const { container } = render(<Timeline shown={[message]} unsent={[]} mine="u2" onDismiss={() => undefined} />);
  expect(screen.getByText('<img src=x onerror=alert(1)>')).toBeTruthy();
  expect(container.querySelector('img')).toBeNull();
  expect(screen.getByTestId('server').textContent).toBe('g1');
});

it('shows an unsent message until it arrives, and not only somebody else under its id', () => {
  const unsent: OutboxEntry<TextContent>[] = [
    { id: 'id-1', room: 'r', content: { kind: 'text', text: 'hello' }, createdMs: 1, state: { kind: 'waiting' } },
  ];
  const { rerender } = render(<Timeline shown={[]} unsent={unsent} mine="u1" onDismiss={() => undefined} />);
  expect(screen.getByText('waiting to be sent')).toBeTruthy();
  rerender(<Timeline shown={[{ ...message, user: 'u2' }]} unsent={unsent} mine="u1" onDismiss={() => undefined} />);
  expect(screen.getByText('waiting to be sent')).toBeTruthy();
  rerender(<Timeline shown={[message]} unsent={unsent} mine="u1" onDismiss={() => undefined} />);
  expect(screen.queryByText('waiting to be sent')).toBeNull();
});
