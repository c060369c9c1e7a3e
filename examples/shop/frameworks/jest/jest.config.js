/** @type {import("jest").Config} */
module.exports = {
  testEnvironment: "node",
  testMatch: ["<rootDir>/tests/**/*.test.js"],
  testTimeout: 10_000,
  reporters: [
    "default",
    [
      "jest-junit",
      {
        outputFile: process.env.JEST_JUNIT_OUTPUT_FILE ?? "results/junit.xml",
        classNameTemplate: "{filepath}",
        titleTemplate: "{classname} › {title}",
        ancestorSeparator: " › ",
        reportTestSuiteErrors: "true", // a file that cannot be loaded is an error, not an absence
      },
    ],
  ],
};
