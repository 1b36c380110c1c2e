import "@fontsource-variable/geist/wght.css";
import "@fontsource-variable/geist-mono/wght.css";
import "./styles/tokens.css";
import "./styles/base.css";
import { connect } from "postroad";
import { StrictMode } from "react";
import { createRoot, type Root } from "react-dom/client";
import { type Config, loadConfig } from "./api/config.js";
import { App } from "./app.js";
import { applyTheme, storedTheme } from "./features/shell/theme.js";
import { Connected } from "./features/sign_in/sign_in.js";
import { socketUrl } from "./format/address.js";
import { SocketUrlContext } from "./live/client.js";
import { AllQueuesProvider } from "./live/queues.js";
import { Session } from "./live/session.js";
import { AllStreamsProvider } from "./live/streams.js";
import { ToastProvider } from "./ui/toast.js";
import { ErrorView } from "./ui/views.js";

applyTheme(storedTheme());
const element = document.getElementById("root");
if (element === null) throw new Error("index.html has no #root.");
start(createRoot(element));

function start(root: Root): void {
  loadConfig().then(
    (config) => render(root, config),
    (error: unknown) =>
      root.render(
        <ErrorView
          title="The gateway did not tell the console where to connect"
          error={error}
          retry={() => start(root)}
        />,
      ),
  );
}

function render(root: Root, config: Config): void {
  const url = socketUrl(config.ws, window.location);
  const session = new Session((token) =>
    connect(url, { name: "postroad-console", ...(token === null ? {} : { token }) }),
  );
  root.render(
    <StrictMode>
      <Connected session={session}>
        <SocketUrlContext value={url}>
          <ToastProvider>
            <AllQueuesProvider>
              <AllStreamsProvider>
                <App config={config} />
              </AllStreamsProvider>
            </AllQueuesProvider>
          </ToastProvider>
        </SocketUrlContext>
      </Connected>
    </StrictMode>,
  );
}
