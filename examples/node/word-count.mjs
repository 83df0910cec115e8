#!/usr/bin/env node
// Counts words. An engine in Node without packages, to show that the contract needs no SDK.
//
//   echo '{"text": "to be or not to be"}' | node word-count.mjs
//   node word-count.mjs FILE
//
// Exit codes: 0 done, 2 bad input, 143 cancelled (with what was counted so far).

import { createReadStream, fstatSync, mkdirSync, renameSync, statSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";

const PIECE = 64 * 1024; // characters between two chances for a signal to be heard
const TOP = 20;

class BadInput extends Error {}

// The contract: everything may be missing when a person runs this by hand.
const outputDir = process.env.EXECUTION_OUTPUT_DIR || "outputs";
const resultFile = process.env.EXECUTION_RESULT_FILE || join(outputDir, "result.json");
const eventsFd = openFd(process.env.EXECUTION_EVENTS_FD);

function openFd(text) {
  const fd = Number(text);
  if (!text || !Number.isInteger(fd) || fd < 3) return null;
  try {
    fstatSync(fd);
    return fd;
  } catch {
    return null;
  }
}

function event(type, fields) {
  if (eventsFd === null) return;
  try {
    writeSync(eventsFd, JSON.stringify({ type, ...fields }) + "\n");
  } catch {
    // A reader that has gone away is no reason to stop counting.
  }
}

// Write aside and rename: nobody ever reads half a file.
function writeWhole(path, text) {
  writeFileSync(`${path}.part`, text);
  renameSync(`${path}.part`, path);
}

async function input() {
  const [file, ...more] = process.argv.slice(2);
  if (more.length) throw new BadInput(`give one file, not ${more.length + 1}.`);
  if (file) {
    const stat = statSync(file, { throwIfNoEntry: false });
    if (!stat?.isFile()) throw new BadInput(`${file} is not a file: name a text file, or send {"text": "..."} on stdin.`);
    return { name: file, size: stat.size, stream: createReadStream(file, { encoding: "utf8", highWaterMark: PIECE }) };
  }
  process.stdin.setEncoding("utf8");
  let raw = "";
  for await (const piece of process.stdin) raw += piece;
  let text;
  try {
    text = JSON.parse(raw)?.text;
  } catch (error) {
    throw new BadInput(`stdin is not valid JSON (${error.message}): send {"text": "..."}, or name a file.`);
  }
  if (typeof text !== "string") throw new BadInput('the JSON on stdin has no string "text": send {"text": "..."}, or name a file.');
  const pieces = [];
  for (let at = 0; at < text.length; at += PIECE) pieces.push(text.slice(at, at + PIECE));
  return { name: "stdin", size: Buffer.byteLength(text), stream: Readable.from(pieces) };
}

const counts = new Map();
let words = 0;
let finished = false;

function count(text) {
  for (const [word] of text.toLowerCase().matchAll(/[\p{L}\p{N}]+(?:['’-][\p{L}\p{N}]+)*/gu)) {
    words++;
    counts.set(word, (counts.get(word) ?? 0) + 1);
  }
}

function finish(status) {
  finished = true;
  const ranked = [...counts].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
  mkdirSync(outputDir, { recursive: true });
  writeWhole(join(outputDir, "words.csv"), "word,count\n" + ranked.map(([word, n]) => `${word},${n}\n`).join(""));
  event("artifact", { path: "words.csv" });
  const top = ranked.slice(0, TOP).map(([word, n]) => ({ word, count: n }));
  writeWhole(resultFile, JSON.stringify({ status, words, different: counts.size, top }, null, 2) + "\n");
}

for (const [signal, code] of [["SIGTERM", 143], ["SIGINT", 130]]) {
  process.on(signal, () => {
    if (finished) return;
    process.stderr.write(`warning: ${signal}: stopping with what was counted so far\n`);
    finish("partial");
    process.exit(code);
  });
}

try {
  const { name, size, stream } = await input();
  process.stdout.write(`counting words of ${name} (${size} bytes)\n`);
  let read = 0;
  let percent = -1;
  let rest = ""; // a word may lie across two pieces: its beginning waits here
  for await (const piece of stream) {
    const text = rest + piece;
    const cut = text.length > 2 * PIECE ? text.length : text.search(/\S*$/); // no blank for so long: not words
    count(text.slice(0, cut));
    rest = text.slice(cut);
    read += Buffer.byteLength(piece);
    const now = size ? Math.min(99, Math.floor((read / size) * 100)) : 99;
    if (now > percent) event("progress", { percent: (percent = now), message: `${words} words` });
    await new Promise(setImmediate); // let a waiting signal in
  }
  count(rest);
  finish("complete");
  event("progress", { percent: 100, message: "done" });
  process.stdout.write(`${words} words, ${counts.size} different\n`);
  for (const [word, n] of [...counts].sort((a, b) => b[1] - a[1]).slice(0, 5)) process.stdout.write(`${String(n).padStart(8)}  ${word}\n`);
} catch (error) {
  process.stderr.write(`error: ${error.message}\n`);
  process.exitCode = error instanceof BadInput ? 2 : 1;
}
