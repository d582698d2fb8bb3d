// The websocket to the sweep's server (docs/stream.md): follows the stream, acknowledges what was painted, asks, and connects again.
//
// After a loss it waits 0.5 s, then twice as long each time, up to 10 s; a tab that is looked at again, or a network that is back, waits no
// longer. It then says how far it had come (`epoch`, `since`), and gets what is missing. A server that answers requests but not the upgrade
// does not know the token: that is said, and tried again rarely.

import { shortened } from "./elements.js";
import { takeTokens } from "./tokens.js";

const SUBPROTOCOL = "asyncsweep.v1.json";
const FIRST_WAIT_S = 0.5;
const LONGEST_WAIT_S = 10;
const REFUSED_WAIT_S = 30;
const OPENING_S = 15;
const ANSWER_S = 20;
const ALIVE_S = 5;
const MOST_ASKED = 8;
const MOST_WATCHED = 64;
const COUNTED = new Set(["snapshot", "delta", "status", "points"]);

export class Connection {
  constructor(store) {
    this.store = store;
    this.sweep = new URLSearchParams(location.search).get("sweep");
    this.socket = null;
    this.isGreeted = false;
    this.wait = FIRST_WAIT_S;
    this.timer = null;
    this.epoch = null;
    this.seq = null;
    this.isForeign = false; // what comes belongs to the sweep that was shown before
    this.received = 0;
    this.isAckDue = false;
    this.watched = [];
    this.nextId = 1;
    this.asked = new Map(); // id -> question, sent or not
  }

  start() {
    const wake = () => this.wake();
    document.addEventListener("visibilitychange", () => document.hidden || wake());
    addEventListener("online", wake);
    addEventListener("hashchange", () => /[#&](token|control)=/.test(location.hash) && this.connect());
    this.connect();
  }

  // -- actions -------------------------------------------------------------------------------------------------------

  ask(what, fields = {}, seconds = ANSWER_S) {
    return new Promise((resolve, reject) => {
      if (!this.isGreeted) return reject(new Error("There is no connection to the sweep right now."));
      const id = this.nextId++;
      this.asked.set(id, { text: JSON.stringify({ type: "ask", id, what, ...fields }), seconds, isSent: false, timer: null, resolve, reject });
      this.sendQuestions();
    });
  }

  watch(numbers) {
    this.watched = [...numbers].slice(0, MOST_WATCHED);
    if (this.isGreeted) this.send({ type: "watch", trials: this.watched });
  }

  // Show another sweep of the server.
  choose(name) {
    this.sweep = name;
    this.address(name);
    this.watched = [];
    this.store.choose(null);
    this.store.select(null);
    this.isForeign = true;
    this.begin();
  }

  // -- the life of a connection --------------------------------------------------------------------------------------

  connect() {
    clearTimeout(this.timer);
    this.timer = null;
    this.leave();
    const { token, control } = takeTokens();
    const address = new URL("stream", document.baseURI);
    address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
    address.search = address.hash = "";
    const offers = [SUBPROTOCOL];
    if (token) offers.push(`asyncsweep.token.${token}`);
    if (control) offers.push(`asyncsweep.control.${control}`);
    let socket;
    try {
      socket = new WebSocket(address, offers);
    } catch {
      return this.refuse(); // no token looks like that
    }
    this.socket = socket;
    this.received = 0;
    this.isAckDue = false;
    this.isForeign = false;
    socket.onmessage = ({ data }) => socket === this.socket && this.receive(JSON.parse(data));
    socket.onclose = (event) => socket === this.socket && this.lose(event);
    this.timer = setTimeout(() => this.lose({ code: 1006, reason: "" }), OPENING_S * 1000);
  }

  // Drop the socket, if there is one, and whatever waits for an answer on it.
  leave() {
    const { socket } = this;
    this.socket = null;
    this.isGreeted = false;
    socket?.close();
    const waiting = [...this.asked.values()];
    this.asked.clear();
    for (const { reject, timer } of waiting) {
      clearTimeout(timer);
      reject(new Error("The connection to the sweep was lost before the answer came."));
    }
  }

  async lose({ code, reason }) {
    const wasGreeted = this.isGreeted;
    clearTimeout(this.timer);
    this.leave();
    if (code === 1008) this.wait = LONGEST_WAIT_S; // it does not want this page
    const attempt = (this.timer = setTimeout(() => this.connect(), this.wait * 1000 * (0.8 + 0.4 * Math.random())));
    this.wait = Math.min(2 * this.wait, LONGEST_WAIT_S);
    if (code === 1008) {
      this.epoch = this.seq = null;
      this.store.setLink("waiting", reason ? `the server closed the connection: ${reason}` : "the server closed the connection");
    } else {
      this.store.setLink("waiting", this.epoch === null ? "connecting" : "connection lost, trying again");
    }
    if (wasGreeted || !(await isThere())) return;
    if (this.timer === attempt) this.refuse();
  }

  refuse() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.connect(), REFUSED_WAIT_S * 1000);
    this.store.setLink("refused", "the server does not know this page's token");
  }

  // Somebody looks again, or the network is back: no time to lose.
  wake() {
    if (!this.socket) {
      this.wait = FIRST_WAIT_S;
      this.connect();
    } else if (this.isGreeted) {
      const { socket } = this;
      const lose = ({ isLate }) => isLate && socket === this.socket && this.lose({ code: 1006, reason: "" });
      this.ask("status", {}, ALIVE_S).catch(lose);
    }
  }

  // -- messages ------------------------------------------------------------------------------------------------------

  receive(message) {
    if (message.type === "hello") this.greet(message);
    else if (message.type === "answer") this.settle(message);
    else if (COUNTED.has(message.type)) {
      this.received += 1;
      this.follow(message);
      this.acknowledgeSoon();
    }
  }

  greet(message) {
    clearTimeout(this.timer);
    this.timer = null;
    this.isGreeted = true;
    const wanted = this.sweep;
    const name = message.sweeps.includes(wanted) ? wanted : message.sweeps[0];
    if (name !== wanted) this.epoch = this.seq = null;
    this.sweep = name ?? null;
    if (name !== undefined) this.open(); // before anything that a view may ask for
    this.store.take(message);
    this.store.setLink("open", "live");
    if (wanted !== null && name !== wanted) {
      this.address(null);
      if (name !== undefined) this.store.tell(`There is no sweep "${shortened(wanted, 80)}" here. This is "${shortened(name, 80)}".`);
    }
  }

  // Which sweep it is, in the address bar.
  address(name) {
    const address = new URL(location.href);
    if (name === null) address.searchParams.delete("sweep");
    else address.searchParams.set("sweep", name);
    history.replaceState(history.state, "", address);
  }

  // From the beginning.
  begin() {
    this.epoch = this.seq = null;
    if (this.isGreeted) this.open();
  }

  open() {
    this.send({ type: "open", sweep: this.sweep, epoch: this.epoch, since: this.seq });
    if (this.watched.length) this.send({ type: "watch", trials: this.watched });
  }

  follow(message) {
    if (message.type === "snapshot" && message.part === 0) this.isForeign = message.sweep !== this.sweep;
    if (this.isForeign) return;
    if (message.type === "snapshot") this.epoch = message.epoch;
    if (message.type === "delta" && message.from !== this.seq) {
      this.isForeign = true; // something was missed: no guessing
      return this.begin();
    }
    if (message.type === "snapshot" || message.type === "delta") {
      this.seq = message.seq;
      this.wait = FIRST_WAIT_S;
    }
    this.store.take(message);
  }

  acknowledgeSoon() {
    if (this.isAckDue) return;
    this.isAckDue = true;
    const { socket } = this;
    afterPaint(() => {
      if (socket !== this.socket) return;
      this.isAckDue = false;
      this.send({ type: "ack", received: this.received });
    });
  }

  sendQuestions() {
    let underWay = [...this.asked.values()].filter(({ isSent }) => isSent).length;
    for (const [id, question] of this.asked) {
      if (question.isSent) continue;
      if (underWay++ >= MOST_ASKED) return;
      question.isSent = true;
      question.timer = setTimeout(() => this.settle({ id, error: "The sweep's server did not answer in time.", isLate: true }), question.seconds * 1000);
      this.socket.send(question.text);
    }
  }

  settle({ id, error, isLate = false, ...answer }) {
    const question = this.asked.get(id);
    if (!question) return;
    this.asked.delete(id);
    clearTimeout(question.timer);
    if (error === undefined) question.resolve(answer);
    else question.reject(Object.assign(new Error(error), { isLate }));
    if (this.isGreeted) this.sendQuestions();
  }

  send(message) {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(message));
  }
}

// Whether the server answers at all. Its files are for everybody.
async function isThere() {
  try {
    return (await fetch(new URL("states.js", document.baseURI), { cache: "no-store" })).ok;
  } catch {
    return false;
  }
}

// When what was just drawn is on the screen. A hidden tab paints nothing: it goes on slowly.
function afterPaint(call) {
  let isDone = false;
  const once = () => {
    if (!isDone) call();
    isDone = true;
  };
  requestAnimationFrame(() => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = once;
    port2.postMessage(null);
  });
  const look = () => !isDone && (document.hidden ? once() : setTimeout(look, 1000));
  setTimeout(look, 1000);
}
