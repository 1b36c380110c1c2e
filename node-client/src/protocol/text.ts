/**
 * Text that can be written as UTF-8. Half of a surrogate pair cannot, and the broker refuses a frame that has one: what is cut is cut
 * between characters, and what users give is looked at before it joins the frames of others.
 */

/** The beginning of a text, at most `max` UTF-16 units; no character is cut in half, and halves that were there are replaced. */
export const cut = (text: string, max: number): string => text.slice(0, max).toWellFormed();

/** Whether JSON made by `JSON.stringify` has no half of a surrogate pair: it writes those, and only those, as escapes. */
export const isWritable = (json: string): boolean => !/\\ud[89a-f]/.test(json.replaceAll("\\\\", ""));
