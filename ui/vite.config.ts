import { svelte } from '@sveltejs/vite-plugin-svelte';
import tailwindcss from '@tailwindcss/vite';
import { svelteTesting } from '@testing-library/svelte/vite';
import { defineConfig } from 'vitest/config';

interface Graph {
  getModuleInfo(id: string): { importers: readonly string[] } | null;
}
const START = /src\/(main\.ts|screens\/Shell\.svelte)$/u;
/** Whether the window's start needs a module: some chain of static imports leads there. */
function starts(id: string, graph: Graph, seen = new Set<string>()): boolean {
  if (START.test(id)) return true;
  seen.add(id);
  return (graph.getModuleInfo(id)?.importers ?? []).some((it) => !seen.has(it) && starts(it, graph, seen));
}

export default defineConfig(({ mode }) => ({
  plugins: [svelte(), tailwindcss(), ...(mode === 'test' ? [svelteTesting()] : [])],
  // Relative addresses: the same files are served by the shell, the bridge and a plain folder.
  base: './',
  clearScreen: false,
  server: { port: 1420, strictPort: true },
  build: {
    target: 'safari16.4',
    // One style sheet keeps the content security policy simple and the first paint styled.
    cssCodeSplit: true,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 500,
    // What the start needs is one file: cut into shared crumbs it is larger and slower. bits-ui has one index that reaches
    // all of it, so it is cut by use.
    rolldownOptions: { output: { codeSplitting: { groups: [{ name: (id, graph) => (/src\/|lucide|\/svelte\//u.test(id) && !/bits-ui/u.test(id) && starts(id, graph) ? 'start' : null) }] } } },
  },
  test: {
    environment: 'jsdom',
    include: ['src/**/*.test.ts'],
    setupFiles: ['src/test/setup.ts'],
  },
}));
