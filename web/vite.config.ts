import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

export default defineConfig({
  root: import.meta.dirname,
  plugins: [react()],
  build: { target: 'esnext', modulePreload: { polyfill: false }, assetsInlineLimit: 0 },
  // `npm run dev -w web`: the page as it is written, before the API of a lab.
  server: { proxy: { '/api': 'http://127.0.0.1:4000' } },
});
