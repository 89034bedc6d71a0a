import react from '@vitejs/plugin-react';
import { defineConfig } from 'vitest/config';

// The page is served by the gateway's origin; `npm run dev` passes what is not its own on to it.
const server = process.env['ROOMCAST_URL'] ?? 'http://127.0.0.1:8080';

export default defineConfig({
  plugins: [react()],
  build: { assetsInlineLimit: 0, sourcemap: false },
  server: {
    proxy: {
      '/config.json': server,
      '/stats': server,
      '/health': server,
      '/dev-issuer': server,
      '/ws': { target: server, ws: true },
    },
  },
  test: { environment: 'jsdom', include: ['src/**/*.test.{ts,tsx}'] },
});
