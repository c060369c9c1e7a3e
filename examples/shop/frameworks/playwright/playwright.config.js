// @ts-check
// SHOP_URL is where the shop is, PLAYWRIGHT_CHROMIUM a browser that is installed already (else Playwright's own),
// CHROMIUM_NO_SANDBOX=1 what a browser needs that runs as root, PLAYWRIGHT_VIDEO=off what to do without Playwright's ffmpeg.
const { defineConfig } = require("@playwright/test");

const env = process.env;

module.exports = defineConfig({
  testDir: "tests",
  fullyParallel: true,
  workers: Number(env.PLAYWRIGHT_WORKERS ?? 1),
  forbidOnly: true,
  timeout: 20_000,
  reporter: [
    ["list"],
    ["junit", { outputFile: env.PLAYWRIGHT_JUNIT_OUTPUT_FILE ?? "results/junit.xml" }],
    ["json", { outputFile: env.PLAYWRIGHT_JSON_OUTPUT_FILE ?? "results/report.json" }],
    ["html", { open: "never" }],
  ],
  use: {
    baseURL: env.SHOP_URL,
    screenshot: "only-on-failure",
    trace: "retain-on-failure",
    video: env.PLAYWRIGHT_VIDEO === "off" ? "off" : "retain-on-failure",
    launchOptions: {
      executablePath: env.PLAYWRIGHT_CHROMIUM || undefined,
      chromiumSandbox: env.CHROMIUM_NO_SANDBOX !== "1",
    },
  },
  projects: [{ name: "chromium", use: { browserName: "chromium" } }],
});
