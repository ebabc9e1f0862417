// The connection to one session: reconnects by itself with growing waits, asks for what it missed, counts what it skipped.

const FIRST_WAIT = 250, LONGEST_WAIT = 8000;

export class Link {
  /** `on.message(message)`, `on.lost(why, retryInMs)`, `on.refused(why)`, `on.restarted()`. */
  constructor(on) {
    this.on = on;
    this.lastSeq = 0;
    this.skipped = 0;
    this.reconnects = 0;
    this.session = null;
    this.part = null;
    this.socket = null;
    this.tries = 0;
    this.timer = 0;
    this.heard = 0;
    this.ticked = 0;
    this.quiet = 1000;
    setInterval(() => this.watch(), 250);
    addEventListener("online", () => this.soon());
    document.addEventListener("visibilitychange", () => document.hidden || this.soon());
  }

  /** Leaves the session it is in, and joins another. */
  join(session) {
    this.leave();
    this.session = session;
    this.lastSeq = this.skipped = this.tries = 0;
    this.connect();
  }

  leave() {
    clearTimeout(this.timer);
    const old = this.socket;
    this.socket = null;
    this.session = null;
    if (old) old.close(1000);
  }

  /** Asks for a part only (or for everything, with null). */
  ask(part) {
    if (JSON.stringify(part) === JSON.stringify(this.part)) return;
    this.part = part;
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify({ subscribe: part ?? {} }));
  }

  connect() {
    clearTimeout(this.timer);
    const url = new URL(`neural-stream/${encodeURIComponent(this.session)}`, location.href);
    url.protocol = location.protocol === "https:" ? "wss:" : "ws:";
    if (this.lastSeq) url.searchParams.set("last_seq", this.lastSeq);
    const socket = this.socket = new WebSocket(url, "neuraflow.v1.json");
    this.heard = performance.now();
    // Not in the query: a name may hold a comma, and another part may be wanted by the time that the connection stands.
    socket.onopen = () => {
      if (socket === this.socket && this.part) socket.send(JSON.stringify({ subscribe: this.part }));
    };
    socket.onmessage = (event) => {
      if (socket === this.socket) this.take(event.data);
    };
    socket.onclose = (event) => {
      if (socket !== this.socket) return;
      this.socket = null;
      if (event.code === 4001) this.on.refused(event.reason || "no such session");
      this.retry(event.code === 4002 ? "this page was too slow, and the server closed the connection" : event.reason || "the server is not answering");
    };
  }

  take(text) {
    this.heard = performance.now();
    const message = JSON.parse(text);
    if (message.kind === "hello") {
      if (message.seq < this.lastSeq) {
        this.lastSeq = 0;
        this.on.restarted();
      }
      if (this.tries) this.reconnects++;
      this.tries = 0;
    }
    // Before the first window nobody knows how often one is due.
    if ("hop_ms" in message) this.quiet = 1000 + (message.hop_ms ?? 50);
    this.skipped += message.skipped ?? 0;
    if (message.seq > this.lastSeq) this.lastSeq = message.seq;
    this.on.message(message);
  }

  /** Gives up a connection that has been silent for too long: not when it was this page that slept. */
  watch() {
    const now = performance.now(), slept = now - this.ticked > 700;
    this.ticked = now;
    if (!this.socket) return;
    if (slept) this.heard = Math.max(this.heard, now - 250);
    const connecting = this.socket.readyState === WebSocket.CONNECTING;
    if (now - this.heard > (connecting ? 5000 : this.quiet)) {
      const old = this.socket;
      this.socket = null;
      old.close();
      this.retry("nothing was heard from the server");
    }
  }

  retry(why) {
    const wait = Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** this.tries) * (0.8 + 0.4 * Math.random());
    this.tries++;
    this.on.lost(why, wait);
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.connect(), wait);
  }

  soon() {
    if (!this.socket && this.session !== null) this.connect();
  }
}
