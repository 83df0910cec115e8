// A server that says what it is told, one connection after the other.

import assert from "node:assert/strict";
import http from "node:http";
import net from "node:net";
import { test } from "node:test";

import { Longhaul, Problem, Unreachable } from "../dist/index.js";
import { Parser } from "../dist/sse.js";

const ID = "exec_1762548673499_vqx7d3cpo";

async function scripted(answers, use) {
  const asked = [];
  const server = net.createServer((socket) => {
    let data = "";
    const answer = answers[Math.min(asked.length, answers.length - 1)];
    asked.push("");
    const mine = asked.length - 1;
    socket.on("error", () => {});
    socket.on("data", (piece) => {
      data += piece;
      const end = data.indexOf("\r\n\r\n");
      const length = Number(/content-length: (\d+)/i.exec(data)?.[1] ?? 0);
      if (end < 0 || Buffer.byteLength(data.slice(end + 4)) < length) return;
      asked[mine] = data;
      socket.end(answer);
    });
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    return await use(`http://127.0.0.1:${server.address().port}`, asked);
  } finally {
    server.close();
  }
}

function answer(body, status = "200 OK", kind = "application/json") {
  return `HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Type: ${kind}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
}

function chunked(text, size) {
  const body = Buffer.from(text);
  const parts = [Buffer.from("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")];
  for (let at = 0; at < body.length; at += size) {
    const piece = body.subarray(at, at + size);
    parts.push(Buffer.from(`${piece.length.toString(16)}\r\n`), piece, Buffer.from("\r\n"));
  }
  return Buffer.concat([...parts, Buffer.from("0\r\n\r\n")]);
}

const frames = (...numbers) => "retry: 1\n\n: keep-alive\n\n" + numbers.map((n) => `id: ${n}\nevent: ${n === 4 ? "end" : "log"}\ndata: {"text":"n${n} ä"}\n\n`).join("");

async function read(url, options) {
  const got = [];
  for await (const event of new Longhaul({ url, silence: 3000, ...options }).stream(ID)) got.push(event.data.text);
  return got;
}

test("every event comes once wherever the line is cut", async () => {
  const whole = chunked(frames(1, 2, 3, 4), 13);
  const cuts = Array.from({ length: Math.ceil(whole.length / 7) }, (_, i) => i * 7);
  // The rest is sent doubled: what is behind the cursor is left out.
  await Promise.all(
    cuts.map((cut) =>
      scripted([whole.subarray(0, cut), chunked(frames(1, 2, 3, 4), 7)], async (url) =>
        assert.deepEqual(await read(url), ["n1 ä", "n2 ä", "n3 ä", "n4 ä"], `cut after ${cut} bytes`),
      ),
    ),
  );
});

test("rotation, a deploy and a full server are gone over", async () => {
  const problem = answer('{"code":"unavailable","detail":"drains"}', "503 x", "application/problem+json");
  const answers = [chunked(frames(1), 99), answer("bad gateway", "502 x", "text/html"), problem, "", chunked(frames(2, 3), 99), chunked(frames(4), 99)];
  await scripted(answers, async (url, asked) => {
    assert.deepEqual(await read(url), ["n1 ä", "n2 ä", "n3 ä", "n4 ä"]);
    assert.deepEqual(asked.map((head) => /after=(\d+)/.exec(head)[1]), ["0", "1", "1", "1", "1", "3"]);
  });
});

test("204 is the end", () => scripted(["HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"], async (url) => assert.deepEqual(await read(url), [])));

test("what trying on cannot cure is thrown, and in time", async () => {
  await scripted([answer('{"code":"not_found","detail":"gone"}', "404 x", "application/problem+json")], async (url, asked) => {
    await assert.rejects(read(url), (error) => error instanceof Problem && error.code === "not_found" && error.message === "gone");
    assert.equal(asked.length, 1);
  });
  await scripted([answer("", "503 x")], (url) => assert.rejects(read(url, { giveUpAfter: 100 }), { code: "unavailable" }));
  await assert.rejects(read("http://127.0.0.1:1", { giveUpAfter: 100 }), Unreachable);
});

test("a silent line is taken for dead", async () => {
  const sockets = [];
  const server = net.createServer((socket) => sockets.push(socket.on("error", () => {})));
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${server.address().port}`;
  await assert.rejects(read(url, { silence: 50, giveUpAfter: 200 }), /silent/);
  await assert.rejects(new Longhaul({ url, timeout: 50 }).status(ID), /too long/);
  for (const socket of sockets) socket.destroy();
  server.close();
});

test("a page that is no stream is not read as one for ever", () =>
  scripted([answer("<h1>Log in</h1>", "200 OK", "text/html")], (url) => assert.rejects(read(url, { giveUpAfter: 300 }), /no event stream/)));

test("files may take longer than an answer", async () => {
  const server = http.createServer((request, response) => {
    setTimeout(() => request.resume(), 300); // a slow line
    request.on("end", () => response.setHeader("Content-Type", "application/json").end(`{"execution_id":"${ID}"}`));
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const client = new Longhaul({ url: `http://127.0.0.1:${server.address().port}`, timeout: 100, giveUpAfter: 5000 });
  try {
    assert.equal((await client.start({ engine: "e", files: { large: new Uint8Array(8 << 20) } })).execution_id, ID);
  } finally {
    server.close();
    server.closeAllConnections();
  }
});

test("a download from a line that is dead is taken up again", async () => {
  const whole = answer("0123456789");
  let asked = 0;
  const server = net.createServer((socket) => {
    socket.on("error", () => {});
    socket.once("data", () => (asked++ ? socket.end(whole) : socket.write(whole.slice(0, -4)))); // and no end
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const client = new Longhaul({ url: `http://127.0.0.1:${server.address().port}`, silence: 100 });
  try {
    assert.equal(await (await client.download(ID, { path: "a", size: 10 }, { signal: AbortSignal.timeout(5000) })).text(), "0123456789");
  } finally {
    server.close();
  }
});

test("a start is asked for again under one key", async () => {
  const started = answer(`{"execution_id":"${ID}"}`, "202 Accepted");
  await scripted(["", answer("", "502 x"), started.slice(0, -3), started], async (url, asked) => {
    assert.equal((await new Longhaul({ url: `${url}/base/`, token: "secret" }).start({ command: "x", args: ["ä"] })).execution_id, ID);
    assert.equal(new Set(asked.map((head) => /idempotency-key: (\w+)/i.exec(head)[1])).size, 1);
    assert.match(asked[3], /^POST \/base\/execute\/start [^]*authorization: Bearer secret[^]*\{"command":"x","args":\["ä"\]\}$/i);
  });
});

test("files go as parts", async () => {
  await scripted([answer(`{"execution_id":"${ID}"}`, "202 Accepted")], async (url, asked) => {
    await new Longhaul({ url }).start({ engine: "e", files: { "data/in.csv": "a,b\n", blob: new Blob(["c"]) } });
    assert.match(asked[0], /name="request"\r\n\r\n\{"engine":"e"\}\r\n[^]*name="files"; filename="data\/in\.csv"\r\n[^]*\r\n\r\na,b\n\r\n/);
  });
});

test("a download goes on where it was cut", async () => {
  const cut = answer("0123456789").slice(0, -4);
  for (const second of [answer("6789", "206 Partial Content"), answer("0123456789")]) {
    await scripted([cut, second], async (url, asked) => {
      assert.equal(await (await new Longhaul({ url }).download(ID, { path: "a b/ü.txt", size: 10 })).text(), "0123456789");
      assert.match(asked[0], /^GET \/outputs\/exec_\w+\/a%20b\/%C3%BC\.txt /);
      assert.match(asked[1], /range: bytes=6-/i);
    });
  }
});

test("line ends and pieces make no difference", () => {
  for (const end of ["\n", "\r", "\r\n"]) {
    const text = frames(1, 2).replaceAll("\n", end) + "\n";
    for (const size of [1, 2, 3, 1000]) {
      const parser = new Parser();
      const got = [];
      for (let at = 0; at < text.length; at += size) got.push(...parser.feed(text.slice(at, at + size)));
      assert.deepEqual(got.map((f) => [f.id, f.event, f.data]), [["1", "log", '{"text":"n1 ä"}'], ["2", "log", '{"text":"n2 ä"}']]);
      assert.equal(parser.retry, 1);
    }
  }
});
