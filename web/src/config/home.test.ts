import { expect, it } from 'vitest';

import { homeOf } from './home';

const settings = (issuer: string) => ({ issuer, clientId: 'frontend', version: '1' });

it('moves the page to the name that its issuer knows, and nowhere else', () => {
  const local = settings('http://localhost:8080/dev-issuer');
  expect(homeOf(local, new URL('http://127.0.0.1:8080/?x=1'))?.href).toBe('http://localhost:8080/?x=1');
  expect(homeOf(local, new URL('http://localhost:8080/'))).toBeUndefined();
  expect(homeOf(local, new URL('http://127.0.0.1:9999/'))).toBeUndefined();
  expect(homeOf(settings('https://id.example/realms/chat'), new URL('http://127.0.0.1:8080/'))).toBeUndefined();
});
