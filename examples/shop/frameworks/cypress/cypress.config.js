// SHOP_URL is where the shop is. Specs are in cypress/e2e; pictures and videos of failures in cypress/screenshots and cypress/videos.
const { rmSync } = require("node:fs");
const { defineConfig } = require("cypress");

module.exports = defineConfig({
  video: true,
  screenshotOnRunFailure: true,
  reporter: "mocha-junit-reporter",
  reporterOptions: {
    mochaFile: "results/junit-[hash].xml",
    testsuitesTitle: "cypress",
    rootSuiteTitle: "shop",
    useFullSuiteTitle: true,
    suiteTitleSeparatedBy: " > ",
  },
  e2e: {
    baseUrl: process.env.SHOP_URL,
    supportFile: false,
    env: { showFailure: process.env.SHOP_SHOW_FAILURE === "1" },
    setupNodeEvents(on) {
      // A video is kept only where a test failed.
      on("after:spec", (_, results) => {
        if (results?.video && results.stats.failures === 0) rmSync(results.video, { force: true });
      });
    },
  },
});
