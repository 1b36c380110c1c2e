// @vitest-environment happy-dom
import { fireEvent, render, screen } from "@testing-library/react";
import { afterEach, expect, it, vi } from "vitest";
import { Demo } from "../../api/demo.js";
import type { Mine } from "./mine.js";
import { SignUpForm } from "./sign_up_form.js";

afterEach(() => {
  document.body.innerHTML = "";
  vi.unstubAllGlobals();
});

const answers = (status: number, json: unknown): ReturnType<typeof vi.fn> => {
  const fetch = vi.fn(async () => new Response(JSON.stringify(json), { status }));
  vi.stubGlobal("fetch", fetch);
  return fetch;
};

function setUp(): Mine[] {
  const accepted: Mine[] = [];
  render(
    <SignUpForm
      demo={new Demo("http://127.0.0.1:8081", "http://127.0.0.1:8082")}
      accepted={(mine) => accepted.push(mine)}
    />,
  );
  return accepted;
}

it("posts name and address to Express and hands on the capability", async () => {
  const fetch = answers(202, { id: "3-t1-0", watch: "cap" });
  const accepted = setUp();

  fireEvent.change(screen.getByLabelText("Name"), { target: { value: "Grace" } });
  fireEvent.change(screen.getByLabelText("E-mail"), { target: { value: "grace@example.org" } });
  fireEvent.click(screen.getByRole("button", { name: "Sign up" }));

  expect(await screen.findByText(/202 in/)).toBeTruthy();
  expect(fetch).toHaveBeenCalledWith(
    "http://127.0.0.1:8081/signups",
    expect.objectContaining({ method: "POST", body: '{"name":"Grace","email":"grace@example.org"}' }),
  );
  expect(accepted).toEqual([expect.objectContaining({ id: "3-t1-0", watch: "cap", name: "Grace" })]);
});

it("ties each refused field to its reason", async () => {
  answers(400, {
    code: "invalid-request",
    detail: "no",
    errors: [{ field: "email", detail: "This does not look like an e-mail address." }],
  });
  const accepted = setUp();

  fireEvent.click(screen.getByRole("button", { name: "Sign up" }));
  await screen.findByText("This does not look like an e-mail address.");

  const field = screen.getByLabelText("E-mail");
  expect(field.getAttribute("aria-invalid")).toBe("true");
  expect(document.getElementById(field.getAttribute("aria-describedby") ?? "")?.textContent).toMatch(
    /does not look like/,
  );
  expect(accepted).toEqual([]);
});

it("says that it can be tried again when Express does not answer", async () => {
  vi.stubGlobal(
    "fetch",
    vi.fn(async () => Promise.reject(new TypeError("failed"))),
  );
  setUp();

  fireEvent.click(screen.getByRole("button", { name: "Sign up" }));

  expect((await screen.findByText(/Not accepted/)).textContent).toMatch(/Try again in a moment/);
  expect((screen.getByRole("button", { name: "Sign up" }) as HTMLButtonElement).disabled).toBe(false);
});
