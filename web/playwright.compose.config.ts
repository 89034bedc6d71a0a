import { defineConfig } from '@playwright/test';

import base from './playwright.config';

// The same browser, against the system that compose.yaml brought up; ROOMCAST_URL says where. By HTTPS the certificate
// is of an authority that no browser knows.
const ignoreHTTPSErrors = process.env['ROOMCAST_URL']?.startsWith('https:') ?? false;
const compose = {
  ...base,
  testDir: 'e2e-compose',
  timeout: 90_000,
  use: { ...base.use, ignoreHTTPSErrors },
};
// That system is started by whoever calls this.
delete compose.globalSetup;

export default defineConfig(compose);
