/** One event of an event stream. */
export interface Frame {
  id: string;
  event: string;
  data: string;
}

/**
 * Reads an event stream as WHATWG HTML 9.2.6 says: lines end with LF, CR or CRLF, a blank one ends an event, and an
 * event that the end of the stream cuts off is dropped. Not EventSource: that gives up for good on any answer but 200.
 */
export class Parser {
  /** Milliseconds; the server's last word on when to reconnect. */
  retry = 0;
  #text = "";
  #begun = false;
  #id = ""; // stays until the next, as the standard has it
  #event = "";
  #data: string[] = [];

  *feed(piece: string): Generator<Frame> {
    const half = this.#text.endsWith("\r"); // it may be half of CRLF
    this.#text += piece;
    if (!half && !/[\r\n]/.test(piece)) return; // a large event comes in many pieces
    const lines = this.#text.split(/\r\n|\n|\r(?!$)/);
    this.#text = lines.pop() ?? "";
    for (let line of lines) {
      if (!this.#begun) line = line.replace(/^\uFEFF/, "");
      this.#begun = true;
      const frame = this.#line(line);
      if (frame) yield frame;
    }
  }

  #line(line: string): Frame | undefined {
    if (line === "") {
      const frame = this.#data.length ? { id: this.#id, event: this.#event || "message", data: this.#data.join("\n") } : undefined;
      this.#event = "";
      this.#data = [];
      return frame;
    }
    const colon = line.indexOf(":");
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (name === "data") this.#data.push(value);
    else if (name === "event") this.#event = value;
    else if (name === "id" && !value.includes("\0")) this.#id = value;
    else if (name === "retry" && /^\d+$/.test(value)) this.retry = Number(value);
    return undefined;
  }
}
