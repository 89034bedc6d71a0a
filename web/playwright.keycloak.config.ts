import { defineConfig } from '@playwright/test';

import base from './playwright.config';

// The same browser, against the all-in-one that believes a real Keycloak.
export default defineConfig({ ...base, testDir: 'e2e-keycloak', globalSetup: './e2e-keycloak/keycloak.ts' });
