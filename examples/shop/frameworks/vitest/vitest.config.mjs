import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["tests/**/*.test.mjs"],
    testTimeout: 10_000,
    reporters: ["default", "junit", "json"],
    outputFile: { junit: process.env.VITEST_JUNIT_OUTPUT_FILE ?? "results/junit.xml", json: "results/report.json" },
  },
});
