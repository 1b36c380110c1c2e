// @vitest-environment happy-dom
import { cleanup, fireEvent, render, screen, waitFor } from "@testing-library/react";
import { connect } from "postroad";
import { FakeGateway } from "postroad/testing";
import { afterEach, beforeEach, expect, it, onTestFinished } from "vitest";
import { Session, useToken } from "../../live/session.js";
import { Connected, SignOut } from "./sign_in.js";

beforeEach(() => sessionStorage.clear());
afterEach(cleanup);

const refusal = (message: string) => ({ op: "error", code: "not-authenticated", message, retryable: false });

/** A console before a gateway that takes one token. */
function open(good = "good"): { gateway: FakeGateway; session: Session } {
  const gateway = new FakeGateway();
  gateway.on("hello", ({ header }) => {
    if (header["token"] === good) return undefined;
    return refusal(header["token"] === undefined ? "This needs a token." : "The token is not valid.");
  });
  const session = new Session((token) =>
    connect("ws://fake", { transport: gateway.transport, ...(token === null ? {} : { token }) }),
  );
  const Token = () => <p>token: {useToken() ?? "none"}</p>;
  const { unmount } = render(
    <Connected session={session}>
      <Token />
      <SignOut />
    </Connected>,
  );
  onTestFinished(async () => {
    unmount();
    await session.get().client.close({ drain: false });
  });
  return { gateway, session };
}

const signIn = (token: string): void => {
  fireEvent.change(screen.getByLabelText("Token"), { target: { value: token } });
  fireEvent.click(screen.getByRole("button", { name: "Sign in" }));
};

it("asks for a token where the gateway wants one, says nothing of an error yet, and keeps what was taken", async () => {
  open();
  await screen.findByRole("dialog", { name: "Sign in" });
  expect(screen.queryByRole("alert")).toBeNull();

  signIn("  Bearer good\n");

  expect(await screen.findByRole("button", { name: "Sign out" })).toBeTruthy();
  expect(screen.queryByLabelText("Token")).toBeNull();
  expect(screen.getByText("token: good")).toBeTruthy();
  expect(sessionStorage.getItem("postroad-token")).toBe("good");
});

it("says why a token was refused, and does not try it again after a reload", async () => {
  open();
  await screen.findByLabelText("Token");

  signIn("wrong");

  expect((await screen.findByRole("alert")).textContent).toBe("The token is not valid.");
  expect(screen.getByLabelText("Token").getAttribute("aria-invalid")).toBe("true");
  await waitFor(() => expect(sessionStorage.getItem("postroad-token")).toBeNull());

  signIn("good");
  expect(await screen.findByRole("button", { name: "Sign out" })).toBeTruthy();
});

it("says when a token has expired", async () => {
  const ended = `head.${btoa(JSON.stringify({ exp: Date.now() / 1_000 - 1 }))}.signature`;
  sessionStorage.setItem("postroad-token", ended);
  const { gateway } = open(ended);
  await screen.findByRole("button", { name: "Sign out" });

  gateway.drop(1008, "not authenticated");

  expect((await screen.findByRole("alert")).textContent).toBe("The token has expired.");
});

it("signs out: the token is gone, and another one is asked for", async () => {
  sessionStorage.setItem("postroad-token", "good");
  const { session } = open();

  fireEvent.click(await screen.findByRole("button", { name: "Sign out" }));

  expect(await screen.findByLabelText("Token")).toBeTruthy();
  expect(screen.queryByRole("alert")).toBeNull();
  expect(sessionStorage.getItem("postroad-token")).toBeNull();
  expect(session.get().token).toBeNull();
});

it("can be put off, and asked for again", async () => {
  open();
  await screen.findByLabelText("Token");

  fireEvent.click(screen.getByRole("button", { name: "Close" }));
  expect(screen.queryByLabelText("Token")).toBeNull();

  fireEvent.click(screen.getByRole("button", { name: "Sign in" }));
  expect(await screen.findByLabelText("Token")).toBeTruthy();
});
