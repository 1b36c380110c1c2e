"use client";
export * from "./hooks.js";
export * from "./provider.js";
export * from "./streams.js";
