import { defineConfig } from "@playwright/test";

export default defineConfig({ globalSetup: "./global-setup.mjs", testMatch: "*.spec.mjs" });
