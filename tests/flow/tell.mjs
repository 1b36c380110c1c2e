/** One JSON object a line, for the test that started this program. */
export const tell = (event, fields = {}) => process.stdout.write(`${JSON.stringify({ event, ...fields })}\n`);
