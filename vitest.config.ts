import { defineConfig } from "vitest/config";

/** Where the counts go as JSON, for a caller that prints them. */
const report = process.env["WEFT_TEST_REPORT"];

export default defineConfig({
  test: {
    include: ["src/**/*.test.ts", "test/**/*.test.ts", "samples/**/*.test.ts"],
    globalSetup: ["test/global-setup.ts"],
    // Two cores: more files at once only make the processes that tests start slower.
    maxWorkers: 2,
    testTimeout: 30_000,
    hookTimeout: 90_000,
    // Real programs on a busy machine are late now and then; what fails twice is broken. Which tests
    // needed it is printed at the end (.ci/run).
    retry: process.env["CI"] === undefined ? 0 : 1,
    reporters: report === undefined ? ["default"] : ["default", ["json", { outputFile: report }]],
  },
});
