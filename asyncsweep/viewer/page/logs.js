// What a trial printed, as text that can be shown: colours and cursor movements of a terminal are taken out, other control characters are
// made visible, and a line that was written over (a progress bar) is there as it was last.

const SEQUENCE = /\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[PX^_][^\x1b]*\x1b\\|[ -/]*[0-Z\\^-~])/g;
const UNFINISHED = /\x1b(?:\[[0-?]*[ -/]*|\][^\x07\x1b]*\x1b?|[ -/]*)?$/;
const CONTROL = /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/g;
const LONGEST = 256 * 1024;

export class Screen {
  constructor() {
    this.text = "";
    this.rest = ""; // the end of the last piece, where it may be half of something
  }

  add(piece) {
    let text = this.rest + piece;
    const half = text.match(UNFINISHED);
    const cut = half && half[0].length < 200 ? half.index : text.endsWith("\r") ? text.length - 1 : text.length;
    this.rest = text.slice(cut);
    text = text.slice(0, cut).replace(SEQUENCE, "").replace(/\r+\n/g, "\n").replace(CONTROL, visible);
    const begun = this.text.slice(this.text.lastIndexOf("\n") + 1);
    const lines = (begun + text).split("\n").map((line) => line.slice(line.lastIndexOf("\r") + 1));
    this.text = (this.text.slice(0, this.text.length - begun.length) + lines.join("\n")).slice(-LONGEST);
    return this.text;
  }
}

function visible(character) {
  const code = character.charCodeAt(0);
  return code < 32 ? String.fromCharCode(0x2400 + code) : code === 127 ? "\u2421" : `\\u${code.toString(16).padStart(4, "0")}`;
}
