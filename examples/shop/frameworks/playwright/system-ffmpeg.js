// Playwright records videos with an ffmpeg that it downloads. Where that is out of reach, this lets it use the one in PATH:
// a file of the name that it looks for in PLAYWRIGHT_BROWSERS_PATH, which calls the other. No link, so that it can be packed.
const { chmodSync, mkdirSync, writeFileSync } = require("node:fs");
const { dirname, join } = require("node:path");

const { browsers } = require(join(dirname(require.resolve("playwright-core/package.json")), "browsers.json"));
const { revision } = browsers.find(({ name }) => name === "ffmpeg");
const folder = join(process.env.PLAYWRIGHT_BROWSERS_PATH ?? ".browsers", `ffmpeg-${revision}`);
const file = join(folder, "ffmpeg-linux");

mkdirSync(folder, { recursive: true });
writeFileSync(file, '#!/bin/sh\nexec ffmpeg "$@"\n');
chmodSync(file, 0o755);
