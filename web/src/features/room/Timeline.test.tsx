import { cleanup, render, screen } from '@testing-library/react';
import { afterEach, expect, it } from 'vitest';

import type { Shown } from '../../client/timeline';
import { Timeline } from './Timeline';

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

it('shows an unsent message until the same id arrives', () => {
  const unsent = [{ id: 'id-1', room: 'r', text: 'hello', at: 1 }];
  const { rerender } = render(<Timeline shown={[]} unsent={unsent} mine="u1" onDismiss={() => undefined} />);
  expect(screen.getByText('waiting to be sent')).toBeTruthy();
  rerender(<Timeline shown={[message]} unsent={unsent} mine="u1" onDismiss={() => undefined} />);
  expect(screen.queryByText('waiting to be sent')).toBeNull();
});
