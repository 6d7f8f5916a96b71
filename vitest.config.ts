import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // A replay of a long oracle run is work, not a hang: no test is judged by its duration.
    testTimeout: 0,
    hookTimeout: 0,
  },
});
