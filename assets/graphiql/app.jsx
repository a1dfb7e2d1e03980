// The page: fetches the door's settings, completes a pending login and shows GraphiQL.

import { createGraphiQLFetcher } from "@graphiql/toolkit";
import { GraphiQL } from "graphiql";
import { parse, print } from "graphql";
import { useEffect, useMemo, useRef, useState } from "react";
import { createRoot } from "react-dom/client";
import { forget, logIn, logOut, remembered, returned } from "./login.js";
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
function fetcherWith(token) {
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

/** Who is logged in, until when, and why their token is accepted or refused. */
function Corner({ door, session, problem, explain }) {
  return (
    <div className="corner">
      {problem && <span role="alert">{problem}</span>}
      {session && (
        <span className="who" title="Their token goes with every request, in the Authorization header">
          {session.who} <small>until {clock(session.until)}</small>
        </span>
      )}
      {session && <button onClick={explain}>Why?</button>}
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

/** What a visitor sees first: without a token the door answers no query. */
function Welcome({ door, problem, proceed }) {
  return (
    <main className="welcome">
      <h1>{door.title}</h1>
      {problem && <p role="alert">{problem}</p>}
      <p>Log in at the tenant, as in your frontend. The door then answers your queries as yourself.</p>
      <p>
        <button className="go" autoFocus onClick={() => logIn(door)}>
          Log in
        </button>{" "}
        <button onClick={proceed}>Continue without</button>
      </p>
      <p>
        <small>With a token of another client, continue without, and set an Authorization header in the Headers tab.</small>
      </p>
    </main>
  );
}

const MARKS = { true: "✓", false: "✗" };

/** The checks of the token, stage by stage. */
function Why({ explanation, close }) {
  const dialog = useRef(null);
  useEffect(() => {
    dialog.current.showModal();
    // Its first button, which gets the focus, is at the end.
    dialog.current.scrollTop = 0;
  }, []);
  const { door, steps, admitted, claims } = explanation;
  const code = steps.find((step) => step.code)?.code;
  return (
    <dialog className="why" ref={dialog} onClose={close} aria-label="Why this token is accepted or refused">
      <h2>
        The {door} door {admitted ? "accepts" : "refuses"} this token{code && `: ${code}`}
      </h2>
      <ul>
        {steps.map(({ stage, check, passed, found, fix }) => (
          <li key={stage + check} className={`passed-${passed}`}>
            {MARKS[passed] ?? "·"} <small>{stage}</small> {check} {found && <code>{found}</code>}
            {fix && <p>{fix}</p>}
          </li>
        ))}
      </ul>
      {claims && (
        <details>
          <summary>Claims</summary>
          <pre>{JSON.stringify(claims, null, 2)}</pre>
        </details>
      )}
      <form method="dialog">
        <button className="go">Close</button>
      </form>
    </dialog>
  );
}

/** The time, with its day when that is not today. */
function clock(milliseconds) {
  const date = new Date(milliseconds);
  const day = date.toDateString() === new Date().toDateString() ? {} : { weekday: "short", day: "numeric", month: "short" };
  return date.toLocaleString([], { ...day, hour: "2-digit", minute: "2-digit" });
}

/** The longest delay of a browser's timers. */
const LONGEST = 2 ** 31 - 1;

function Page({ door, first }) {
  const [{ session, problem }, set] = useState(first);
  const [proceeded, setProceeded] = useState(false);
  const [explanation, setExplanation] = useState();
  useEffect(() => {
    if (!session) return undefined;
    const end = () => {
      forget();
      set({ problem: `The login ended at ${clock(session.until)}.` });
    };
    const timer = setTimeout(end, Math.min(session.until - Date.now(), LONGEST));
    return () => clearTimeout(timer);
  }, [session]);
  const fetcher = useMemo(() => fetcherWith(session?.token), [session]);
  const explain = async () => {
    const headers = { Authorization: `Bearer ${session.token}` };
    const response = await fetch("graphiql/explain", { method: "POST", headers });
    if (response.ok) setExplanation(await response.json());
    else set({ session, problem: `The door answered ${response.status}.` });
  };
  if (door.clientId && !door.anonymous && !session && !proceeded) {
    return <Welcome door={door} problem={problem} proceed={() => setProceeded(true)} />;
  }
  return (
    <>
      <GraphiQL
        fetcher={fetcher}
        defaultQuery={start(door.toTry)}
        shouldPersistHeaders={false}
        showPersistHeadersSettings={false}
      >
        <GraphiQL.Logo>
          <Corner door={door} session={session} problem={problem} explain={explain} />
        </GraphiQL.Logo>
      </GraphiQL>
      {explanation && <Why explanation={explanation} close={() => setExplanation(undefined)} />}
    </>
  );
}

const door = await (await fetch("graphiql/door.json")).json();
document.title = `${door.title} · GraphiQL`;
let first;
try {
  first = { session: (await returned(door)) ?? remembered() };
} catch (error) {
  first = { session: remembered(), problem: error.message };
}
createRoot(document.getElementById("graphiql")).render(<Page door={door} first={first} />);
