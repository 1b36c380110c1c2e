/** Message attributes of a publish frame: a scalar for all, a column, or nothing (docs/protocol.md §4). */
const NAMES = {
  type: "types",
  headers: "headers",
  delay_ms: "delays_ms",
  deliver_at: "delivers_at",
  dedup_key: "dedup_keys",
  priority: "priorities",
  key: "keys",
  expire_ms: "expires_ms",
} as const;

export type Attribute = keyof typeof NAMES;
type Value = string | number | Readonly<Record<string, string>>;

export class Columns {
  #columns = new Map<Attribute, (Value | null)[]>();
  #count = 0;

  /** Adds the attributes of the next message; `undefined` values are not set. */
  add(attributes: Partial<Record<Attribute, Value | undefined>> | undefined): void {
    if (attributes !== undefined) {
      for (const name of Object.keys(attributes) as Attribute[]) {
        const value = attributes[name];
        if (value !== undefined) this.#column(name).push(value);
      }
    }
    this.#count++;
    for (const column of this.#columns.values()) if (column.length < this.#count) column.push(null);
  }

  has(name: Attribute): boolean {
    return this.#columns.has(name);
  }

  /** Header fields for the messages from `first` to before `end`. */
  encode(first: number = 0, end: number = this.#count): Record<string, unknown> {
    const fields: Record<string, unknown> = {};
    for (const [name, all] of this.#columns) {
      const column = all.slice(first, end);
      const value = column[0];
      if (column.every((other) => other === value)) {
        if (value !== null && value !== undefined) fields[name] = value;
      } else {
        fields[NAMES[name]] = name === "type" ? column.map((type) => type ?? "json") : column;
      }
    }
    return fields;
  }

  #column(name: Attribute): (Value | null)[] {
    let column = this.#columns.get(name);
    if (column === undefined) {
      column = new Array<null>(this.#count).fill(null);
      this.#columns.set(name, column);
    }
    return column;
  }
}

/** Reads attribute `name` of message `index` from a deliver header: its column, or the scalar. */
export function attributeAt(scalar: unknown, column: unknown, index: number): unknown {
  const value: unknown = Array.isArray(column) ? (column as readonly unknown[])[index] : scalar;
  return value === null ? undefined : value;
}
