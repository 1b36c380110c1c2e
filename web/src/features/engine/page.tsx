import type { ReactNode } from "react";
import { type Level, useEngine } from "../../live/engine.js";
import { Tag } from "../../ui/state.js";
import { PageHead, Panel, Skeleton } from "../../ui/views.js";
import "../../ui/table.css";
import "./engine.css";

/** What each durability promises, in words. */
export const DURABILITY: Readonly<Record<string, string>> = {
  sync: "every confirm is synced to disk",
  os: "confirms are written, not synced: a power cut may lose some",
  memory: "nothing is on disk: a restart loses everything",
};

const LEVELS: Readonly<Record<Level, readonly ["done" | "delivered" | "retrying" | "dead", string]>> = {
  native: ["done", "The engine does it."],
  emulated: ["done", "Postroad does it with what the engine has, for all gateways alike."],
  "gateway-local": [
    "retrying",
    "This gateway does it from its memory; another one, or this one restarted, does not know it.",
  ],
  unsupported: ["dead", "It is refused, and nothing is stored."],
};

const first = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

/** What stores and delivers behind the gateway, and what it can do. */
export function EnginePage(): ReactNode {
  const engine = useEngine();
  return (
    <>
      <PageHead
        title="Engine"
        lead={
          engine === null
            ? "What stores and delivers behind the gateway."
            : `${engine.name}; ${DURABILITY[engine.durability] ?? engine.durability}.`
        }
      />
      <Panel title="Engine" flush>
        {engine === null ? (
          <Skeleton rows={8} label="Loading the engine" />
        ) : (
          <div className="table-wrap">
            <table className="table capabilities">
              <thead>
                <tr>
                  <th scope="col">Capability</th>
                  <th scope="col">Level</th>
                  <th scope="col">Which means</th>
                </tr>
              </thead>
              <tbody>
                {engine.capabilities.map(({ name, about, level, reason }) => (
                  <tr key={name}>
                    <th scope="row">{first(about)}</th>
                    <td className="nowrap">
                      <Tag tone={LEVELS[level][0]}>{level}</Tag>
                    </td>
                    <td className="muted">{reason ?? LEVELS[level][1]}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        )}
      </Panel>
    </>
  );
}
