import { Command } from "cmdk";
import { type ReactNode, useState } from "react";
import { useLocation } from "wouter";
import { messagePath, queuePath, streamPath } from "../../format/address.js";
import type { QueueStats, StreamStats } from "../../live/types.js";
import { Dialog } from "../../ui/dialog.js";
import { THEMES, type Theme } from "./theme.js";

interface Props {
  readonly open: boolean;
  readonly close: () => void;
  readonly demo: boolean;
  readonly queues: readonly QueueStats[];
  readonly streams: readonly StreamStats[];
  readonly chooseTheme: (theme: Theme) => void;
  readonly help: () => void;
}

/** Everything that can be reached, by typing. */
export function Palette({ open, close, demo, queues, streams, chooseTheme, help }: Props): ReactNode {
  const [, go] = useLocation();
  const [text, setText] = useState("");
  const run = (what: () => void) => () => {
    close();
    setText("");
    what();
  };
  const id = text.trim();
  return (
    <Dialog title="Go to" open={open} close={close} plain>
      <Command label="Go to" className="palette">
        <Command.Input
          autoFocus
          value={text}
          onValueChange={setText}
          placeholder="A queue, a stream, a page, or a message id"
        />
        <Command.List>
          <Command.Empty>Nothing has that name.</Command.Empty>
          {/^\d+-[\w-]+$/.test(id) && (
            <Command.Item value={`${id} message`} onSelect={run(() => go(messagePath(id)))}>
              Message <code>{id}</code>
            </Command.Item>
          )}
          <Command.Group heading="Pages">
            {demo && <Command.Item onSelect={run(() => go("/"))}>Sign-up demo</Command.Item>}
            <Command.Item onSelect={run(() => go(demo ? "/overview" : "/"))}>Overview</Command.Item>
            <Command.Item onSelect={run(() => go("/queues"))}>Queues</Command.Item>
            <Command.Item onSelect={run(() => go("/streams"))}>Streams</Command.Item>
            <Command.Item value="Topics bindings where would this go" onSelect={run(() => go("/topics"))}>
              Topics
            </Command.Item>
            <Command.Item value="Schedules cron" onSelect={run(() => go("/schedules"))}>
              Schedules
            </Command.Item>
            <Command.Item value="Engine capabilities durability" onSelect={run(() => go("/engine"))}>
              Engine
            </Command.Item>
          </Command.Group>
          {queues.length > 0 && (
            <Command.Group heading="Queues">
              {queues.map((queue) => (
                <Command.Item
                  key={queue.name}
                  value={`queue ${queue.name}`}
                  onSelect={run(() => go(queuePath(queue.name)))}
                >
                  <code>{queue.name}</code>
                </Command.Item>
              ))}
            </Command.Group>
          )}
          {streams.length > 0 && (
            <Command.Group heading="Streams">
              {streams.map((stream) => (
                <Command.Item
                  key={stream.name}
                  value={`stream ${stream.name}`}
                  onSelect={run(() => go(streamPath(stream.name)))}
                >
                  <code>{stream.name}</code>
                </Command.Item>
              ))}
            </Command.Group>
          )}
          <Command.Group heading="Settings">
            {THEMES.map((theme) => (
              <Command.Item key={theme} value={`theme ${theme}`} onSelect={run(() => chooseTheme(theme))}>
                Theme: {theme}
              </Command.Item>
            ))}
            <Command.Item value="keys help" onSelect={run(help)}>
              Keys
            </Command.Item>
          </Command.Group>
        </Command.List>
      </Command>
    </Dialog>
  );
}
