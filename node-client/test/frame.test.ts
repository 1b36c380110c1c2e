import { describe, expect, it } from "vitest";
import { decodeFrame, encodeBytes, encodeText, ProtocolViolation } from "../src/protocol/frame.js";

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

describe("frames", () => {
  it("reads back what it wrote, header and bodies", () => {
    const frame = decodeFrame(
      encodeBytes({ op: "publish", name: "ü", sizes: [2, 0, 1] }, [utf8("ab"), utf8(""), utf8("c")]),
    );

    expect(frame.header).toEqual({ op: "publish", name: "ü", sizes: [2, 0, 1] });
    expect(frame.sizes).toEqual([2, 0, 1]);
    expect(new TextDecoder().decode(frame.bytes?.subarray(frame.start))).toBe("abc");
  });

  it("writes a string's bodies as UTF-8", () => {
    const frame = decodeFrame(encodeText({ sizes: [2, 1] }, "éx", 3));

    expect(frame.bytes?.length).toBe(frame.start + 3);
  });

  it("begins with the header's length as a big-endian u32", () => {
    expect([...encodeBytes({ a: 1 }, []).subarray(0, 4)]).toEqual([0, 0, 0, 7]);
  });

  it.each<[string, string | Uint8Array]>([
    ["no length", new Uint8Array([0, 0, 1])],
    ["a header beyond the end", new Uint8Array([0, 0, 0, 9, 123, 125])],
    ["a header over 1 MiB", new Uint8Array([0x7f, 0, 0, 0, 123, 125])],
    ["a header that is not JSON", new Uint8Array([0, 0, 0, 2, 123, 123])],
    ["an array", "[]"],
    ["null", "null"],
    ["not JSON", "hello"],
    ["bodies without sizes", encodeBytes({}, [new Uint8Array(1)])],
    ["sizes that do not add up", encodeBytes({ sizes: [1, 1] }, [new Uint8Array(3)])],
    ["a negative size", encodeBytes({ sizes: [-1, 2] }, [new Uint8Array(1)])],
    ["a size that is not a number", encodeBytes({ sizes: ["1"] }, [new Uint8Array(1)])],
  ])("refuses %s", (_name, data) => {
    expect(() => decodeFrame(data)).toThrow(ProtocolViolation);
  });
});
