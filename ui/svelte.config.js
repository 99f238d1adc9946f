import { vitePreprocess } from '@sveltejs/vite-plugin-svelte';

export default {
  preprocess: vitePreprocess(),
  // Runes everywhere: the old reactive syntax does not compile in our own files.
  vitePlugin: { dynamicCompileOptions: ({ filename }) => (filename.includes('node_modules') ? undefined : { runes: true }) },
};
