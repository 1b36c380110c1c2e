import type { SendMailOptions } from "nodemailer";
import type { SignUp } from "./signup.js";

/** The welcome mail for one sign-up, as text and as HTML. */
export function welcome(id: string, signUp: SignUp): SendMailOptions {
  const first = signUp.name.split(/\s+/)[0] ?? signUp.name;
  const link = signUp.verify === null ? null : `${signUp.verify}/${encodeURIComponent(id)}`;
  const paragraphs = [
    `Dear ${first},`,
    "welcome aboard. This letter was a message in a queue until a worker picked it up and handed it to a mail server.",
    link === null ? "There is nothing else to do." : "One thing is left: confirm that this address is yours.",
  ];
  const closing = "The Postroad demo";
  return {
    from: { name: "Postroad", address: "hello@postroad.example" },
    to: { name: signUp.name, address: signUp.email },
    subject: `Welcome, ${first}`,
    text: [...paragraphs, ...(link === null ? [] : [link]), closing].join("\n\n"),
    html: page(paragraphs, link, closing),
    headers: { "X-Postroad-Id": id },
  };
}

function page(paragraphs: readonly string[], link: string | null, closing: string): string {
  const button =
    "display:inline-block;padding:10px 16px;border-radius:8px;background:#FFC61A;color:#1B1F2A;text-decoration:none";
  return [
    '<!doctype html><html lang="en"><body style="margin:0;background:#FBFAF7;color:#1B1F2A;font:16px/1.6 Georgia,serif">',
    '<div style="max-width:520px;margin:32px auto;padding:32px;background:#FFFFFF;border:1px solid #E2DED3">',
    ...paragraphs.map((text) => `<p>${escapeHtml(text)}</p>`),
    link === null ? "" : `<p><a style="${button}" href="${escapeHtml(link)}">Confirm my address</a></p>`,
    `<p style="color:#5B6170">${escapeHtml(closing)}</p></div></body></html>`,
  ].join("");
}

/** Text as HTML: a name is what a stranger typed. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`);
}
