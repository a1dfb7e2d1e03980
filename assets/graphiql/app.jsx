// The page: fetches the door's settings, completes a pending login and shows GraphiQL.

import { createGraphiQLFetcher } from "@graphiql/toolkit";
import { GraphiQL } from "graphiql";
import { parse, print } from "graphql";
import { createRoot } from "react-dom/client";
import { logIn, logOut, returned } from "./login.js";
import "graphiql/style.css";
import "./page.css";

const ENDPOINT = new URL("graphql", location.href);

/** The editor's first content: a query that this door answers, pretty-printed if it parses. */
function start(query) {
  let lines = query;
  try {
    lines = print(parse(query));
  } catch {
    // The editor shows the error.
  }
  return `# Ctrl-Enter runs it.\n# Ctrl-Space completes.\n${lines}\n`;
}

/** Sends the token with every request and socket, unless the Headers tab sets an Authorization header. */
function fetcher(token) {
  const socket = new URL(ENDPOINT);
  socket.protocol = socket.protocol.replace("http", "ws");
  const fetch = createGraphiQLFetcher({ url: ENDPOINT.href, subscriptionUrl: socket.href });
  return (params, options) => {
    const typed = options?.headers ?? {};
    const isTyped = Object.keys(typed).some((name) => name.toLowerCase() === "authorization");
    const headers = token && !isTyped ? { Authorization: `Bearer ${token}`, ...typed } : typed;
    return fetch(params, { ...options, headers });
  };
}

function Corner({ door, session, problem }) {
  return (
    <div className="corner">
      {problem && <span role="alert">{problem}</span>}
      {session && <span title="Their token goes with every request, in the Authorization header">{session.who}</span>}
      {session && <button onClick={() => logOut(door)}>Log out</button>}
      {door.clientId && !session && (
        <button className="go" onClick={() => logIn(door)}>
          Log in
        </button>
      )}
      <strong>{door.title}</strong>
    </div>
  );
}

const door = await (await fetch("graphiql/door.json")).json();
document.title = `${door.title} · GraphiQL`;
let session, problem;
try {
  session = await returned(door);
} catch (error) {
  problem = error.message;
}
createRoot(document.getElementById("graphiql")).render(
  <GraphiQL
    fetcher={fetcher(session?.token)}
    defaultQuery={start(door.toTry)}
    shouldPersistHeaders={false}
    showPersistHeadersSettings={false}
  >
    <GraphiQL.Logo>
      <Corner door={door} session={session} problem={problem} />
    </GraphiQL.Logo>
  </GraphiQL>,
);
