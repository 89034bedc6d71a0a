import { defineConfig } from '@playwright/test';

import base from './playwright.config';

// The same browser, against the system that compose.yaml brought up; ROOMCAST_URL says where.
const { globalSetup: _, ...rest } = base;

export default defineConfig({ ...rest, testDir: 'e2e-compose', timeout: 90_000 });
