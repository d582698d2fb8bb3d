// What HiPlot remembers of the user's choices (the scales of axes, colours, order, filters), for as long as the page is open. HiPlot's own
// writes them into the address of the page.

export class Memory {
  constructor(values = new Map(), prefix = "") {
    this.values = values;
    this.prefix = prefix;
  }

  get(name, otherwise) {
    return this.values.has(this.prefix + name) ? this.values.get(this.prefix + name) : otherwise;
  }

  set(name, value) {
    this.values.set(this.prefix + name, value);
  }

  children(name) {
    return new Memory(this.values, `${this.prefix}${name}/`);
  }

  clear() {
    this.values.clear();
  }
}
