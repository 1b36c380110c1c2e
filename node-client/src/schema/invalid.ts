import { PostroadError } from "../errors.js";
import { issuesText, type SchemaIssue } from "./standard.js";

/** A body is not what its definition's schema asks for; nothing was sent. Made by the client, never by a server. */
export class InvalidMessage extends PostroadError {
  readonly issues: readonly SchemaIssue[];

  constructor(name: string, issues: readonly SchemaIssue[]) {
    super("invalid-message", `The body is not what ${name} takes: ${issuesText(issues)}`, { retryable: false });
    this.issues = issues;
  }
}
